"""Fetch the files of a dataset's sources into a folder, from the first place that has them."""

import inspect
import json
import logging
import shutil
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import JsonValue

from foundling.artifacts import sha256
from foundling.data import hub
from foundling.data.archives import extract, is_archive
from foundling.data.digests import digest
from foundling.data.formats import FORMATS, format_of
from foundling.data.places import in_project, is_hidden, locate, on_disk
from foundling.data.sources import META, fingerprints
from foundling.metrics import write_metrics
from foundling.metrics.data import Fetched, File, LeftOutFiles
from foundling.settings.datasets import Dataset, Source

log = logging.getLogger(__name__)
HIDDEN = "hidden"
NAMED = 20  # names of left-out files in meta.json, for each reason


def fetch(dataset: Dataset, folder: Path, mirror: Path | None) -> None:
    """Write each source's files to folder/<source>/, and their names, sizes and SHA-256 to meta.json.

    Equal settings and data give equal folders on every machine, wherever the data comes from. A source that
    is not available raises ValueError, which lists all places that were tried.
    """
    if mirror is not None and not mirror.is_dir():
        raise ValueError(
            f"there is no mirror folder {mirror}; set FOUNDLING_MIRROR or runtime.mirror, or unset them"
        )
    fetched, left_out, own = {}, {}, {}
    for source in dataset.sources:
        target = folder / source.name
        target.mkdir(parents=True)
        selection = Selection(source)
        names = _bring(source, target, mirror, selection)
        fetched[source.name] = tuple(
            File(file=name, bytes=(target / name).stat().st_size, sha256=sha256(target / name))
            for name in names
        )
        size = sum(file.bytes for file in fetched[source.name])
        log.info(f"fetch: {source.name}: {_files(len(names))}, {size / 1e6:.1f} MB")
        if selection.left_out:
            left_out[source.name] = {
                reason: LeftOutFiles(files=len(those), names=tuple(sorted(those)[:NAMED]))
                for reason, those in selection.left_out.items()
            }
            log.warning(f"fetch: {source.name}: left out {selection}")
        if source.path:
            own[source.name] = digest(own_files(source))
    prints = fingerprints(dataset)
    meta = Fetched(dataset=dataset.name, settings=prints, sources=fetched, left_out=left_out, own=own)
    write_metrics(folder / META, meta)


class Selection:
    """Decides which files of a folder or archive belong to a source: visible ones, in a supported format.

    `left_out` has the names of the others, by reason.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.left_out: dict[str, list[str]] = {}

    def takes(self, name: Path, inside: bool = False) -> bool:
        """Whether a file is read; if not, it is recorded. Archives `inside` an archive are not read."""
        if any(map(is_hidden, name.parts)):
            self.leave_out(HIDDEN, name)
        elif self.source.members and not name.match(self.source.members):
            self.leave_out(f"not among the members {self.source.members}", name)
        elif not (self.source.format or format_of(name) or (is_archive(name.name) and not inside)):
            self.leave_out("of no known format", name)
        else:
            return True
        return False

    def leave_out(self, reason: str, name: Path) -> None:
        """Record a file that is left out."""
        self.left_out.setdefault(reason, []).append(name.as_posix())

    def __str__(self) -> str:
        return "; ".join(
            f"{_files(len(names))} {reason} ({', '.join(sorted(names)[:5])}{', …' if len(names) > 5 else ''})"
            for reason, names in self.left_out.items()
        )


def own_files(source: Source, selection: Selection | None = None) -> list[tuple[Path, Path]]:
    """The files on disk that a source with a `path` reads, as (file, name below the folder)."""
    assert source.path is not None
    selection = selection or Selection(source)
    files, hidden = on_disk(source.path)
    for name in hidden:
        selection.leave_out(HIDDEN, name)
    if len(files) == 1 and files[0][0] == in_project(source.path):  # named by the user, so taken as it is
        return files
    taken = [(file, name) for file, name in files if selection.takes(name)]
    if not taken:
        raise ValueError(
            f"none of the {_files(len(files))} at {source.path} can be read: {selection}; rename them to "
            f"{', '.join(FORMATS)}, each also with .gz or .zst, or set {source.setting('format')}"
        )
    return taken


def _files(count: int) -> str:
    return f"{count:,} file{'s' * (count != 1)}"


def _bring(source: Source, target: Path, mirror: Path | None, selection: Selection) -> list[str]:
    """Fill a source's folder; returns the names of its files in reading order."""
    if source.generate:
        return _write_rows(_generated(source.generate), target)
    if source.hub:
        return _write_rows(hub.rows(source.hub, mirror), target)
    names = []
    if source.path:
        for path, name in own_files(source, selection):
            names += _place(path, name, source, target, selection)
    with TemporaryDirectory(dir=target.parent) as scratch:
        for file in source.files or ():
            path = locate(file, Path(scratch), mirror)
            names += _place(path, Path(file.name), source, target, selection)
            if not file.sha256:
                log.warning(
                    f"fetch: {path.name} came unchecked; write `sha256: {sha256(path)}` to it in the config"
                )
    return names


def _place(file: Path, name: Path, source: Source, folder: Path, selection: Selection) -> list[str]:
    """Copy a file to a source's folder, or unpack it there if it is an archive; returns the new names."""
    target = folder / (name.with_name(name.name.partition(".")[0]) if is_archive(name.name) else name)
    if target.exists():
        raise ValueError(
            f"source {source.name} has two files named {name}; put them into sources of their own"
        )
    if is_archive(name.name):
        members = extract(file, target, partial(selection.takes, inside=True), source)
        if not members:
            raise ValueError(
                f"archive {name} has no file that can be read ({', '.join(FORMATS)}); set "
                f"{source.setting('members')} (a glob of names inside it) or {source.setting('format')}"
            )
        return [(target / member).relative_to(folder).as_posix() for member in members]
    if not source.format and format_of(name) is None:
        raise ValueError(
            f"{name} of source {source.name} has no suffix of a known format; use one of "
            f"{', '.join(FORMATS)}, each also with .gz or .zst, or set {source.setting('format')}"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, target)
    return [name.as_posix()]


def _generated(settings: Mapping[str, JsonValue]) -> Iterator[dict[str, Any]]:
    from foundling.fables.generators import GENERATORS

    name, arguments = str(settings["name"]), {key: value for key, value in settings.items() if key != "name"}
    if name not in GENERATORS:
        raise ValueError(
            f"unknown generator {name!r}; `generate.name` must be one of {', '.join(GENERATORS)}"
        )
    try:
        inspect.signature(GENERATORS[name]).bind(**arguments)
    except TypeError as error:
        raise ValueError(
            f"generator {name} with {arguments}: {error}; correct `generate` of its source"
        ) from None
    return GENERATORS[name](**arguments)


def _write_rows(rows: Iterable[Mapping[str, Any]], target: Path) -> list[str]:
    from tqdm import tqdm

    with open(target / "rows.jsonl", "w", encoding="utf-8", newline="\n") as file:
        for row in tqdm(rows, desc=target.name, unit=" records", disable=None):  # None: only on a terminal
            file.write(json.dumps(row, ensure_ascii=False, default=_plain) + "\n")
    return ["rows.jsonl"]


def _plain(value: Any) -> str:
    """A value that JSON does not support: valid UTF-8 bytes as text, others as str() formats them."""
    try:
        return value.decode() if isinstance(value, bytes) else str(value)
    except UnicodeDecodeError:
        return str(value)
