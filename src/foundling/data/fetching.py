"""Dataset configs to files: fetch() brings what each source names to a folder, from wherever it can be had."""

import inspect
import json
import logging
import shutil
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from foundling.artifacts import sha256, write_json
from foundling.data.archives import extract, is_archive
from foundling.data.digests import digest
from foundling.data.formats import FORMATS, format_of
from foundling.data.hub import rows
from foundling.data.limits import Limits
from foundling.data.naming import setting
from foundling.data.places import in_project, is_hidden, locate, on_disk
from foundling.data.sources import META, check, fingerprints, name_of

log = logging.getLogger(__name__)
HIDDEN = "hidden"
NAMED = 20  # files that are named in meta.json, of those left out for one reason


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
    made, left_out = {}, {}
    for source in dataset["sources"]:
        place = folder / source["name"]
        place.mkdir(parents=True)
        choice = Choice(source)
        names = _bring(source, place, mirror, choice)
        made[source["name"]] = [
            {"file": name, "bytes": (place / name).stat().st_size, "sha256": sha256(place / name)} for name in names
        ]
        size = sum(file["bytes"] for file in made[source["name"]])
        log.info(f"fetch: {source['name']}: {len(names)} file{'s' * (len(names) != 1)}, {size / 1e6:.1f} MB")
        if choice.left_out:
            left_out[source["name"]] = choice.summary()
            log.warning(f"fetch: {source['name']}: left out {choice}")
    meta = {"dataset": dataset["name"], "settings": fingerprints(dataset), "sources": made}
    own = {source["name"]: digest(own_files(source)) for source in dataset["sources"] if source.get("path")}
    optional = {"left_out": left_out, "own": own}
    write_json(folder / META, meta | {key: value for key, value in optional.items() if value})


class Choice:
    """Which files of a folder or archive belong to a source: not hidden, and of a format that can be read.

    `left_out` holds the names of the others by the reason.
    """

    def __init__(self, source: Mapping[str, Any]) -> None:
        self.source = source
        self.left_out: dict[str, list[str]] = {}

    def wants(self, name: Path, inside: bool = False) -> bool:
        """Whether a file is taken, noted if it is not; `inside` an archive, other archives are not."""
        reason = self._against(name, inside)
        if reason:
            self.leave(reason, name)
        return reason is None

    def leave(self, reason: str, name: Path) -> None:
        """Note a file that is left out."""
        self.left_out.setdefault(reason, []).append(name.as_posix())

    def summary(self) -> dict[str, Any]:
        """By reason how many files were left out, and the first ones' names."""
        return {
            reason: {"files": len(names), "names": sorted(names)[:NAMED]} for reason, names in self.left_out.items()
        }

    def __str__(self) -> str:
        return "; ".join(_told(reason, names) for reason, names in self.left_out.items())

    def _against(self, name: Path, inside: bool) -> str | None:
        members = self.source.get("members")
        if any(map(is_hidden, name.parts)):
            return HIDDEN
        if members and not name.match(members):
            return f"not among the members {members}"
        is_read = self.source.get("format") or format_of(name) or (is_archive(name.name) and not inside)
        return None if is_read else "of no known format"


def _told(reason: str, names: list[str]) -> str:
    """One reason of files left out, with the first ones' names."""
    shown = ", ".join(sorted(names)[:5]) + (", …" if len(names) > 5 else "")
    return f"{len(names):,} file{'s' * (len(names) != 1)} {reason} ({shown})"


def own_files(source: Mapping[str, Any], choice: Choice | None = None) -> list[tuple[Path, Path]]:
    """The files on disk that a source with a `path` reads, as (file, name below the folder); others go to `choice`."""
    choice = choice or Choice(source)
    found, hidden = on_disk(source["path"])
    for name in hidden:
        choice.leave(HIDDEN, name)
    alone = len(found) == 1 and found[0][0] == in_project(source["path"])
    taken = found if alone else [(file, name) for file, name in found if choice.wants(name)]
    if not taken:
        raise ValueError(
            f"found no readable file among {len(found):,} at {source['path']}: {choice}; allowed are "
            f"{', '.join(FORMATS)}, each also with .gz or .zst; rename them or set {setting(source, 'format')}"
        )
    return taken


def _bring(source: Mapping[str, Any], place: Path, mirror: Path | None, choice: Choice) -> list[str]:
    """Fill a source's folder; returns the names of its files in reading order."""
    if source.get("generate"):
        return _write_rows(_generated(**source["generate"]), place)
    if source.get("hub"):
        return _write_rows(rows(source["hub"], mirror), place)
    if source.get("path"):
        taken = own_files(source, choice)
        return [name for file, inner in taken for name in _settle(file, inner, source, place, choice)]
    names = []
    with TemporaryDirectory(dir=place.parent) as scratch:
        for file in source["files"]:
            path = locate(file, Path(scratch), mirror)
            names += _settle(path, Path(name_of(file)), source, place, choice)
            if not file.get("sha256"):
                log.warning(f"fetch: {path.name} came unchecked; write `sha256: {sha256(path)}` to it in the config")
    return names


def _settle(file: Path, name: Path, source: Mapping[str, Any], place: Path, choice: Choice) -> list[str]:
    """Copy a file to its place, or unpack an archive there; returns the new names."""
    goal = place / (name.with_name(name.name.partition(".")[0]) if is_archive(name.name) else name)
    if goal.exists():
        raise ValueError(f"source {source['name']} has two files named {name}; put them into sources of their own")
    if is_archive(name.name):
        found = extract(file, goal, partial(choice.wants, inside=True), Limits.of(source))
        if not found:
            raise ValueError(
                f"archive {name} holds no file that can be read; allowed are {', '.join(FORMATS)}; set "
                f"{setting(source, 'members')} (a glob of names inside it) or {setting(source, 'format')}"
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
            file.write(json.dumps(row, ensure_ascii=False, default=_plain) + "\n")
    return ["rows.jsonl"]


def _plain(value: Any) -> str:
    """A value that JSON does not know: bytes as the UTF-8 text that they are, others as Python writes them."""
    try:
        return value.decode() if isinstance(value, bytes) else str(value)
    except UnicodeDecodeError:
        return str(value)
