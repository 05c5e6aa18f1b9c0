"""The chain of a model: raw data, tokenizer, tokens, base, tuned model; each link is a hash that a record holds.

A model's provenance.json records its files, inputs and parent; meta.json of data/tokens its shards and inputs,
meta.json of a dataset its files. Imports no torch: hashes and JSON are all it takes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foundling.artifacts import read_json, sha256
from foundling.text.tokenizer import Tokenizer
from foundling.weights.card import CARD
from foundling.weights.provenance import PROVENANCE, recorded_files

META, TOKENIZER = "meta.json", "tokenizer"


@dataclass(frozen=True)
class Link:
    """A file or folder whose hash `record` holds; `fault` says what is wrong with it, None: it is intact."""

    what: Path
    record: Path
    fault: str | None


def links(model: Path) -> Iterator[Link]:
    """All links from the raw data up to the model, so that the first fault is nearest to the data.

    A folder without a provenance.json that records its files raises ValueError.
    """
    yield from _once(_of_model(model, ()))


def _of_model(model: Path, below: tuple[Path, ...]) -> Iterator[Link]:
    """The links of a model that is the parent of those `below` it."""
    record = model / PROVENANCE
    made = _recorded(record)
    parents = {Path(path): recorded for path, recorded in (made.get("parent") or {}).items()}
    for parent in parents:
        if parent.resolve() in (*below, model.resolve()) or len(below) > 20:
            raise ValueError(
                f"{record} names {parent} as the model's parent, which descends from it; that is no record"
            )
        if (parent / PROVENANCE).is_file():
            yield from _of_model(parent, (*below, model.resolve()))
    for path, recorded in made.get("inputs", {}).items():
        yield from _of_input(Path(path), recorded, record)
    for parent, recorded in parents.items():
        yield _link(parent, recorded, record)
    for name, recorded in made["files"].items():
        yield _link(model / name, recorded, record)
    known = {*made["files"], PROVENANCE, CARD}
    for file in sorted(file for file in model.rglob("*") if file.is_file()):
        if file.relative_to(model).as_posix() not in known:
            yield Link(file, record, f"is not recorded in {record}")
    yield from _tokenizer(model, parents, made)


def _of_input(path: Path, recorded: str, record: Path) -> Iterator[Link]:
    """A model's input, and what it was made of in turn where its own record is the recorded one."""
    link = _link(path, recorded, record)
    meta = path if path.name == META else path / META
    if link.fault is None and meta.is_file():
        made = read_json(meta)
        _require_hashes(meta, made, ("inputs",))
        for inner, inner_recorded in made.get("inputs", {}).items():
            yield from _of_input(Path(inner), inner_recorded, meta)
        try:
            files = list(_data_files(made))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{meta} does not list files with their sha256 ({error!r}); make it again") from None
        for name, hashed in files:
            yield _link(meta.parent / name, hashed, meta)
    yield link


def _data_files(meta: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(name, sha256) of the files that a meta.json lists: shards of tokens, or the files of each source."""
    for shard in meta.get("shards", []):
        yield shard["file"], shard["sha256"]
    for source, files in meta.get("sources", {}).items():
        for file in files:
            yield f"{source}/{file['file']}", file["sha256"]


def _tokenizer(model: Path, parents: Mapping[Path, str], made: Mapping[str, Any]) -> Iterator[Link]:
    """The model's own tokenizer must be its parent's, or the one that its tokens were made with."""
    own = model / TOKENIZER
    others = [parent / TOKENIZER for parent in parents]
    others += [Path(path) for path in made.get("inputs", {}) if Path(path).name == TOKENIZER]
    for other in others:
        try:
            alike = Tokenizer.load(own).fingerprint == Tokenizer.load(other).fingerprint
        except ValueError:  # files that are missing or damaged have links of their own
            continue
        yield Link(own, model / PROVENANCE, None if alike else f"is another tokenizer than {other}")


def _link(path: Path, recorded: str, record: Path) -> Link:
    if not path.exists():
        return Link(path, record, "is missing")
    if not path.is_file() and not path.is_dir():
        return Link(path, record, "is neither a file nor a folder")
    return Link(path, record, None if sha256(path) == recorded else f"is not what {record} recorded")


def _recorded(record: Path) -> dict[str, Any]:
    made: dict[str, Any] = read_json(record)
    if not recorded_files(record.parent):
        raise ValueError(
            f"{record} records no files, so nothing can be compared; make the model again with `dvc repro`"
        )
    _require_hashes(record, made, ("inputs", "parent", "files"))
    return made


def _require_hashes(record: Path, made: Mapping[str, Any], names: tuple[str, ...]) -> None:
    for name in names:
        found = made.get(name) or {}
        if not isinstance(found, dict) or not all(isinstance(hashed, str) for hashed in found.values()):
            raise ValueError(f"{record} has {name} that are not paths with their sha256; it is damaged: make it again")


def _once(found: Iterator[Link]) -> Iterator[Link]:
    """Each link once, though several records may hold it."""
    seen = set()
    for link in found:
        if (key := (link.what, link.record)) not in seen:
            seen.add(key)
            yield link
