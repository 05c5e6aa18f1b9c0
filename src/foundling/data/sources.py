"""Dataset configs to records: fetch() brings each source's files to a folder, records() streams them back.

A dataset config (a corpus, a benchmark) lists its sources; each takes its data from exactly one of

    files     named files, each looked for in the mirror, on disk and at its URL (data/places.py)
    path      the user's own file, folder or glob
    hub       a dataset of the Hugging Face hub (data/hub.py)
    generate  a generator of the embedded world: {name, …} (fables/)

How its files are written (`format`, `columns`, `encoding`, …) is told in data/formats.py. `text` names the field that
holds the text; `members` is a glob of the names to take out of an archive; `weight` and `begins` are read in
data/corpora.py.
"""

import inspect
import json
import logging
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from foundling.artifacts import fingerprint, read_json, sha256, write_json
from foundling.data.archives import extract, is_archive
from foundling.data.formats import FORMATS, format_of, read
from foundling.data.hub import KEYS as HUB_KEYS
from foundling.data.hub import rows
from foundling.data.places import FILE_KEYS, locate, name_of, on_disk

log = logging.getLogger(__name__)
META = "meta.json"
ORIGINS = ("files", "path", "hub", "generate")
READING = ("format", "text", "columns", "header", "quoting", "encoding", "errors", "members")
SOURCE_KEYS = ("name", "weight", *ORIGINS, *READING, "begins")


def fetch(dataset: Mapping[str, Any], folder: Path, mirror: Path | None) -> None:
    """Put each source's files into folder/<source>/, and into meta.json what came: names, bytes, SHA-256.

    Equal settings and data give equal folders on each machine, wherever the data came from. What cannot be had raises
    ValueError with each place that was tried.
    """
    check(dataset)
    if mirror is not None and not mirror.is_dir():
        raise ValueError(
            f"found no mirror folder {mirror}; set FOUNDLING_MIRROR or runtime.mirror to a folder, or unset it"
        )
    made = {}
    for source in dataset["sources"]:
        place = folder / source["name"]
        place.mkdir(parents=True)
        names = _bring(source, place, mirror)
        made[source["name"]] = [
            {"file": name, "bytes": (place / name).stat().st_size, "sha256": sha256(place / name)} for name in names
        ]
        size = sum(file["bytes"] for file in made[source["name"]])
        log.info(f"fetch: {source['name']}: {len(names)} file{'s' * (len(names) != 1)}, {size / 1e6:.1f} MB")
    write_json(folder / META, {"dataset": dataset["name"], "settings": _fingerprints(dataset), "sources": made})


def records(folder: Path, dataset: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Stream (source name, record) in the config's order; a record without the text field that is asked for raises."""
    check(dataset)
    meta = read_json(folder / META)
    if meta["settings"] != _fingerprints(dataset):
        raise ValueError(
            f"{folder} was fetched with other sources than {dataset['name']} has now; run `dvc repro fetch` first"
        )
    for source in dataset["sources"]:
        field = source.get("text")
        for file in meta["sources"][source["name"]]:
            path = folder / source["name"] / file["file"]
            for line, record in read(path, source):
                if field and not isinstance(record.get(field), str):
                    found = "no text" if field in record else f"only {', '.join(map(str, record)) or 'nothing'}"
                    raise ValueError(
                        f"{path}:{line} has no text field {field!r} (found {found}); mend that row, or set `text` of "
                        f"source {source['name']} to the field that holds the text"
                    )
                yield source["name"], record


def check(dataset: Mapping[str, Any]) -> None:
    """Refuse a dataset config that cannot be fetched or read, and say what would."""
    name, sources = dataset.get("name"), dataset.get("sources") or []
    if not sources:
        raise ValueError(f"dataset {name} lists no sources; give it one, as in conf/corpus/files.yaml")
    names = [str(source.get("name") or "") for source in sources]
    for source in names:
        if not source or "/" in source or source.startswith(".") or names.count(source) > 1:
            raise ValueError(
                f"dataset {name} has a source named {source!r}; each needs a name of its own, without slashes"
            )
    for source in sources:
        where = f"source {source['name']} of {name}"
        _known(source, SOURCE_KEYS, where, ["name"])
        origins = [origin for origin in ORIGINS if source.get(origin)]
        if len(origins) != 1:
            raise ValueError(
                f"{where} has {' and '.join(origins) or 'no place to come from'}; exactly one of {', '.join(ORIGINS)} "
                "is needed" + ("; for your own texts set corpus.path=my_texts" if not origins else "")
            )
        if source.get("hub"):
            _known(source["hub"], HUB_KEYS, f"hub of {where}", ["id"])
        if source.get("generate"):
            _known(source["generate"], None, f"generate of {where}", ["name"])
        for file in source.get("files") or []:
            _known(file, FILE_KEYS, f"a file of {where}", ["mirror", "path", "url"])


def _known(values: Mapping[str, Any], allowed: Iterable[str] | None, where: str, any_of: Iterable[str]) -> None:
    """Refuse settings that nobody reads, and the lack of each of `any_of`."""
    for key in values:
        if allowed is not None and key not in allowed:
            raise ValueError(f"{where} has a setting {key!r}; allowed are {', '.join(allowed)}; mend it")
    if not any(values.get(key) for key in any_of):
        raise ValueError(f"{where} lacks {' or '.join(any_of)}; set it")


def _fingerprints(dataset: Mapping[str, Any]) -> dict[str, str]:
    """What decides which bytes each source brings; how they are read, mixed and cleaned may change without a fetch."""
    origins = ("members", "format", *ORIGINS)
    return {s["name"]: fingerprint({key: s[key] for key in origins if s.get(key)}) for s in dataset["sources"]}


def _bring(source: Mapping[str, Any], place: Path, mirror: Path | None) -> list[str]:
    """Fill a source's folder; returns the names of its files in reading order."""
    if source.get("generate"):
        return _write_rows(_generated(**source["generate"]), place)
    if source.get("hub"):
        return _write_rows(rows(source["hub"], mirror), place)
    if source.get("path"):
        found = on_disk(source["path"], lambda name: is_archive(name.name) or _wanted(name, source))
        return [name for file, inner in found for name in _settle(file, inner, source, place)]
    names = []
    with TemporaryDirectory(dir=place.parent) as scratch:
        for file in source["files"]:
            path = locate(file, Path(scratch), mirror)
            names += _settle(path, Path(name_of(file)), source, place)
            if not file.get("sha256"):
                log.warning(f"fetch: {path.name} came unchecked; write `sha256: {sha256(path)}` to it in the config")
    return names


def _settle(file: Path, name: Path, source: Mapping[str, Any], place: Path) -> list[str]:
    """Copy a file to its place, or unpack an archive there; returns the new names."""
    goal = place / (name.with_name(name.name.partition(".")[0]) if is_archive(name.name) else name)
    if goal.exists():
        raise ValueError(f"source {source['name']} has two files named {name}; put them into sources of their own")
    if is_archive(name.name):
        found = extract(file, goal, lambda member: _wanted(member, source))
        if not found:
            raise ValueError(
                f"archive {name} holds no file that can be read; allowed are {', '.join(FORMATS)}; set `members` (a "
                f"glob of names inside it) or `format` of source {source['name']}"
            )
        return [(goal / member).relative_to(place).as_posix() for member in found]
    if not source.get("format") and format_of(name) is None:
        raise ValueError(
            f"found {name} in source {source['name']}, whose suffix names no format; allowed are {', '.join(FORMATS)}, "
            "each also with .gz or .zst; rename it or set `format` of the source"
        )
    goal.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, goal)
    return [name.as_posix()]


def _wanted(name: Path, source: Mapping[str, Any]) -> bool:
    """Whether a file of a folder or archive belongs to the source: not hidden, and of a format that can be read."""
    if any(part.startswith((".", "__MACOSX")) for part in name.parts) or not name.match(source.get("members") or "*"):
        return False
    return bool(source.get("format")) or format_of(name) is not None


def _generated(name: str, **settings: Any) -> Iterator[dict[str, Any]]:
    from foundling.fables.generators import GENERATORS

    if name not in GENERATORS:
        raise ValueError(f"found generator {name!r}; allowed are {', '.join(GENERATORS)}; mend `generate.name`")
    try:
        inspect.signature(GENERATORS[name]).bind(**settings)
    except TypeError as error:
        raise ValueError(f"found generate settings {settings} for {name}: {error}; mend them in its source") from None
    return GENERATORS[name](**settings)


def _write_rows(found: Iterable[Mapping[str, Any]], place: Path) -> list[str]:
    from tqdm import tqdm

    with open(place / "rows.jsonl", "w", encoding="utf-8", newline="\n") as file:
        for row in tqdm(found, desc=place.name, unit=" records", disable=None):  # None: only on a terminal
            file.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")
    return ["rows.jsonl"]
