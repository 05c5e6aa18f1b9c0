"""Where files lie: named ones in the mirror, on disk or at a URL, checked; the user's own in a folder or by a glob.

A named file is {mirror, path, url, size, sha256, note}: its path in the mirror folder, its path elsewhere, its URL (or
several), tried in this order until one has the right bytes (so many, of that hash); `note` is said when none has.
"""

import fnmatch
import glob
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from foundling.artifacts import sha256
from foundling.data.download import download
from foundling.data.sources import name_of, urls_of

COPIES = ".dvc/tmp/exps"


def locate(file: Mapping[str, Any], scratch: Path, mirror: Path | None) -> Path:
    """The first of a file's places that has it with the right bytes; downloads go to `scratch`.

    ValueError says each place that was tried and where to put the file.
    """
    expected, tried = file.get("sha256"), []
    if file.get("mirror") and mirror is None:
        tried.append("no mirror (FOUNDLING_MIRROR and runtime.mirror are not set)")
    for path in _local_paths(file, mirror):
        problem = _problem(path, file)
        if problem is None:
            return path
        tried.append(f"{path} ({problem})")
    for url in urls_of(file):
        try:
            download(url, scratch / name_of(file), expected, file.get("size"))
            if problem := _problem(scratch / name_of(file), {"size": file.get("size")}):
                raise ValueError(problem)
            return scratch / name_of(file)
        except ValueError as error:
            tried.append(f"{url} ({error})")
    goal = f"{mirror or '<mirror>'}/{file.get('mirror') or name_of(file)}"
    raise ValueError(
        f"{name_of(file)} did not come: tried {', '.join(tried)}; fix: put the file"
        + (f" with sha256 {expected}" if expected else "")
        + f" at {goal if file.get('mirror') else file.get('path') or 'a `path` on disk'}"
        + (" and set FOUNDLING_MIRROR (or runtime.mirror) to that mirror folder" if mirror is None else "")
        + (f"; {file['note']}" if file.get("note") else "")
    )


def named_on_disk(file: Mapping[str, Any], mirror: Path | None) -> list[tuple[Path, Path]]:
    """A named file as (file, its name) from the first place on disk that has it; empty if only a URL may."""
    usable = [path for path in _local_paths(file, mirror) if _problem(path, file) is None]
    return [(path, Path(name_of(file))) for path in usable[:1]]


def in_project(path: str) -> Path:
    """A user's path. `dvc exp run --queue` and `--temp` work in a copy of the project without its untracked files.

    There a relative path means the file of the project itself, if it has one. DVC names the project by DVC_ROOT.
    """
    given = Path(path).expanduser()
    project = Path(os.environ.get("DVC_ROOT") or ".").resolve()
    if given.is_absolute() or not Path.cwd().resolve().is_relative_to(project / COPIES):
        return given
    first = next((at for at, part in enumerate(given.parts) if glob.has_magic(part)), len(given.parts))
    return project / given if project.joinpath(*given.parts[:first]).exists() else given


def on_disk(pattern: str) -> tuple[list[tuple[Path, Path]], list[Path]]:
    """The files of a path, folder or glob as (file, name below the folder), sorted; and the hidden ones, left out.

    A path that exists is that file or folder, whatever characters its name has. Links are followed, but each file and
    folder comes once, under its own name rather than a link's; so a folder gives the same as its glob `**/*`, and links
    in a circle end.
    """
    path = in_project(pattern)
    if path.is_file():
        return [(path, Path(path.name))], []
    parts: tuple[str, ...]
    if path.is_dir():
        root, parts = path, ("**", "*")
    else:
        depth = next((at for at in range(len(path.parts)) if not Path(*path.parts[: at + 1]).exists()), len(path.parts))
        root, parts = Path(*path.parts[:depth]), path.parts[depth:]
    walk = _Walk()
    walk.take(root, parts)
    files = sorted((file.relative_to(root), file) for file in walk.found.values())
    if not files:
        hidden = f" but {len(walk.hidden)} hidden ones" if walk.hidden else ""
        raise ValueError(
            f"found nothing{hidden} at {pattern} (seen from {Path.cwd()}); allowed are a file, a folder or a glob as "
            "'texts/**/*.txt'; correct the path"
        )
    return [(file, name) for name, file in files], sorted(file.relative_to(root) for file in walk.hidden)


class _Walk:
    """The files below a folder that match a glob's parts, each once; links wait until all else is taken."""

    def __init__(self) -> None:
        self.found: dict[str, Path] = {}  # by their real path
        self.hidden: list[Path] = []
        self.links: list[tuple[Path, tuple[str, ...]]] = []
        self.seen: set[tuple[str, int]] = set()

    def take(self, root: Path, parts: tuple[str, ...]) -> None:
        """Take what matches below a folder, then what links in it lead to."""
        self._folder(root, parts)
        while self.links:
            path, rest = self.links.pop(0)
            if path.is_dir():
                self._folder(path, rest)
            else:
                self.found.setdefault(os.path.realpath(path), path)

    def _folder(self, folder: Path, parts: tuple[str, ...]) -> None:
        here = (os.path.realpath(folder), len(parts))
        if not parts or here in self.seen or not folder.is_dir():
            return
        self.seen.add(here)
        part, rest = parts[0], parts[1:]
        if part == "**" and rest:  # which stands for no folder, too
            self._folder(folder, rest)
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            if part != "**" and not _matches(entry.name, part):
                continue
            if is_hidden(entry.name) and not part.startswith("."):
                if part != "**":
                    self.hidden.append(folder / entry.name)
            elif entry.is_dir():
                self._enter(entry, folder / entry.name, parts if part == "**" else rest)
            elif entry.is_file() and not rest:
                self._enter(entry, folder / entry.name, ())

    def _enter(self, entry: os.DirEntry[str], path: Path, rest: tuple[str, ...]) -> None:
        if entry.is_symlink():
            self.links.append((path, rest))
        elif entry.is_dir():
            self._folder(path, rest)
        else:
            self.found.setdefault(os.path.realpath(path), path)


def is_hidden(name: str) -> bool:
    """Whether a file or folder is one of the system's: .DS_Store, .git, __MACOSX."""
    return name.startswith((".", "__MACOSX"))


def _matches(name: str, part: str) -> bool:
    return name == part or fnmatch.fnmatchcase(name, part)


def _local_paths(file: Mapping[str, Any], mirror: Path | None) -> list[Path]:
    """Where a named file may lie on disk, in the order in which it is looked for."""
    paths = [mirror / file["mirror"]] if mirror and file.get("mirror") else []
    return [*paths, *([in_project(file["path"])] if file.get("path") else [])]


def _problem(path: Path, file: Mapping[str, Any]) -> str | None:
    """Why a file on disk cannot be taken, or None."""
    if not path.is_file():
        return "not there"
    if file.get("size") and path.stat().st_size != file["size"]:
        return f"wrong size: expected {file['size']:,} bytes but got {path.stat().st_size:,}"
    expected = file.get("sha256")
    found = sha256(path) if expected else None
    return None if found == expected else f"wrong checksum: expected {expected} but got {found}"
