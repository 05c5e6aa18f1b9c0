"""Dataset configs to files: fetch() brings what each source names to a folder, from wherever it can be had."""

import inspect
import json
import logging
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from foundling.artifacts import sha256, write_json
from foundling.data.archives import extract, is_archive
from foundling.data.formats import FORMATS, format_of
from foundling.data.hub import rows
from foundling.data.limits import Limits
from foundling.data.places import locate, on_disk
from foundling.data.sources import META, check, fingerprints, name_of

log = logging.getLogger(__name__)


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
    write_json(folder / META, {"dataset": dataset["name"], "settings": fingerprints(dataset), "sources": made})


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
        found = extract(file, goal, lambda member: _wanted(member, source), Limits.of(source))
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
