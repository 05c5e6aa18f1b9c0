"""The files of a run: in a folder, or as git and DVC keep them for a revision or an experiment."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from foundling.artifacts import LARGEST_JSON
from foundling.plain import parse_yaml
from foundling.reporting.reading import Row, parse_csv, parse_jsonl


class Files(Protocol):
    """Reads files by their paths in the project."""

    @property
    def name(self) -> str: ...

    def names(self, folder: str) -> list[str]: ...

    def read(self, path: str) -> bytes | None: ...


@dataclass(frozen=True)
class FolderFiles:
    """The files below a folder: a checkout of the project, or a job of a sweep."""

    root: Path

    @property
    def name(self) -> str:
        return str(self.root)

    def names(self, folder: str) -> list[str]:
        place = self.root / folder
        return sorted(file.name for file in place.iterdir()) if place.is_dir() else []

    def read(self, path: str) -> bytes | None:
        file = self.root / path
        if not file.is_file():
            return None
        with open(file, "rb") as opened:
            return _limited(opened.read(LARGEST_JSON + 1), file)


class RevisionFiles:
    """The files of a git revision or DVC experiment of the project in the current folder."""

    def __init__(self, revision: str) -> None:
        """An unknown revision raises ValueError."""
        from dvc.api import DVCFileSystem
        from dvc.exceptions import DvcException

        self.name = revision
        try:
            self._files = DVCFileSystem(".", rev=revision)
            self._files.ls("/", detail=False)  # resolves the revision
        except DvcException as error:
            raise ValueError(
                f"{revision} is neither a folder nor a git revision or DVC experiment ({error}); "
                "`dvc exp show` lists the experiments"
            ) from None

    def names(self, folder: str) -> list[str]:
        try:
            return sorted(Path(path).name for path in self._files.ls(folder, detail=False))
        except FileNotFoundError:
            return []

    def read(self, path: str) -> bytes | None:
        if not self._files.exists(path):
            return None
        try:
            content: bytes = self._files.read_bytes(path)
        except FileNotFoundError:
            raise ValueError(
                f"DVC's cache does not have {path} of {self.name}; get it with `dvc fetch`, or reproduce it"
            ) from None
        return _limited(content, f"{self.name}:{path}")


def open_files(place: str) -> Files:
    """The files of a folder, or else of a git revision or DVC experiment."""
    folder = Path(place).expanduser()
    return FolderFiles(folder) if folder.is_dir() else RevisionFiles(place)


def read_object(files: Files, path: str) -> dict[str, Any]:
    """A JSON object, empty if the file is missing; anything else raises ValueError."""
    content = files.read(path)
    if content is None:
        return {}
    try:
        value = json.loads(content)
        if not isinstance(value, dict):
            raise ValueError(f"it is a {type(value).__name__}, not an object")
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{files.name}: {path} is not valid JSON ({error}); run its stage again") from None
    return value


def read_yaml_object(files: Files, path: str) -> dict[str, Any]:
    """A YAML mapping, empty if the file is missing; anything else raises ValueError."""
    content = files.read(path)
    values = {} if content is None else parse_yaml(content, f"{files.name}: {path}")
    if not isinstance(values, dict):
        raise ValueError(f"{files.name}: {path} is not a mapping; run `foundling compose` again")
    return values


def read_rows(files: Files, path: str, numbers: tuple[str, ...] | None = None) -> Sequence[Row]:
    """The rows of a CSV or JSON-lines file, none if it is missing."""
    content = files.read(path)
    if content is None:
        return []
    try:
        lines = content.decode("utf-8").splitlines(keepends=True)
        return parse_jsonl(lines) if path.endswith(".jsonl") else parse_csv(lines, numbers)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{files.name}: {path} cannot be read ({error}); run its stage again") from None


def _limited(content: bytes, path: Path | str) -> bytes:
    if len(content) > LARGEST_JSON:
        raise ValueError(f"{path} has more than {LARGEST_JSON:,} bytes; is it a file of results?")
    return content
