"""Verification of a model's provenance, from the raw data to the model: each link is a recorded hash.

A model's provenance.json records its files, inputs and parent; the meta.json of data/tokens its shards and
inputs, the meta.json of a dataset its files. Imports no torch.
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
MAX_GENERATIONS = 20


@dataclass(frozen=True)
class Link:
    """A file or folder and the record that holds its hash; `fault` says what is wrong with it, or is None."""

    path: Path
    record: Path
    fault: str | None


def links(model: Path) -> Iterator[Link]:
    """All links, ordered from the raw data to the model, so that the first fault is the closest to the data.

    A folder without a provenance.json that records its files raises ValueError.
    """
    yield from dict.fromkeys(_model_links(model, ()))


def _model_links(model: Path, descendants: tuple[Path, ...]) -> Iterator[Link]:
    """The links of a model, after those of its inputs and its parent."""
    record = model / PROVENANCE
    values = _read_record(record)
    parents = {Path(path): recorded for path, recorded in (values.get("parent") or {}).items()}
    for parent in parents:
        if parent.resolve() in (*descendants, model.resolve()) or len(descendants) > MAX_GENERATIONS:
            raise ValueError(
                f"{record} is invalid: it names {parent}, which descends from the model, as its parent"
            )
        if (parent / PROVENANCE).is_file():
            yield from _model_links(parent, (*descendants, model.resolve()))
    for path, recorded in values.get("inputs", {}).items():
        yield from _input_links(Path(path), recorded, record)
    for parent, recorded in parents.items():
        yield _link(parent, recorded, record)
    for name, recorded in values["files"].items():
        yield _link(model / name, recorded, record)
    recorded_names = {*values["files"], PROVENANCE, CARD}
    for file in sorted(file for file in model.rglob("*") if file.is_file()):
        if file.relative_to(model).as_posix() not in recorded_names:
            yield Link(file, record, f"is not recorded in {record}")
    yield from _tokenizer_links(model, parents, values)


def _input_links(path: Path, recorded: str, record: Path) -> Iterator[Link]:
    """The link of a model's input, after those of its own inputs and files."""
    link = _link(path, recorded, record)
    meta = path if path.name == META else path / META
    if link.fault is None and meta.is_file():
        values = read_json(meta)
        _require_hashes(meta, values, ("inputs",))
        for inner, inner_recorded in values.get("inputs", {}).items():
            yield from _input_links(Path(inner), inner_recorded, meta)
        try:
            files = list(_data_files(values))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{meta} does not list files with their sha256 ({error!r}); rebuild it"
            ) from None
        for name, hashed in files:
            yield _link(meta.parent / name, hashed, meta)
    yield link


def _data_files(meta: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(name, sha256) of the files in a meta.json: shards of tokens, or the files of each source."""
    for shard in meta.get("shards", []):
        yield shard["file"], shard["sha256"]
    for source, files in meta.get("sources", {}).items():
        for file in files:
            yield f"{source}/{file['file']}", file["sha256"]


def _tokenizer_links(model: Path, parents: Mapping[Path, str], values: Mapping[str, Any]) -> Iterator[Link]:
    """The model's tokenizer must be its parent's, or the one that its data was tokenized with."""
    own = model / TOKENIZER
    # a published file has its own
    others = [parent / TOKENIZER for parent in parents if not parent.is_file()]
    others += [Path(path) for path in values.get("inputs", {}) if Path(path).name == TOKENIZER]
    for other in others:
        try:
            same = Tokenizer.load(own).fingerprint == Tokenizer.load(other).fingerprint
        except ValueError:  # missing and damaged files have links of their own
            continue
        yield Link(own, model / PROVENANCE, None if same else f"differs from the tokenizer {other}")


def _link(path: Path, recorded: str, record: Path) -> Link:
    if not path.exists():
        return Link(path, record, "is missing")
    if not path.is_file() and not path.is_dir():
        return Link(path, record, "is neither a file nor a folder")
    return Link(path, record, None if sha256(path) == recorded else f"differs from the hash in {record}")


def _read_record(record: Path) -> dict[str, Any]:
    values: dict[str, Any] = read_json(record)
    if not recorded_files(record.parent):
        raise ValueError(
            f"{record} records no files, so nothing can be verified; rebuild the model with `dvc repro`"
        )
    _require_hashes(record, values, ("inputs", "parent", "files"))
    return values


def _require_hashes(record: Path, values: Mapping[str, Any], names: tuple[str, ...]) -> None:
    for name in names:
        hashes = values.get(name) or {}
        if not isinstance(hashes, dict) or not all(isinstance(hashed, str) for hashed in hashes.values()):
            raise ValueError(
                f"{record} is damaged: {name} must be a mapping from paths to sha256; rebuild it"
            )
