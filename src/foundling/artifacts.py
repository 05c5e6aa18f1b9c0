"""Atomic writes (temporary path, fsync, rename): a path has a complete artifact, the old or the new one."""

import csv
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

LARGEST_JSON = 64 << 20  # bytes; parsed values take about ten times as much memory


@contextmanager
def atomic_file(path: Path | str, mode: str = "w") -> Iterator[IO[Any]]:
    """Open a temporary file for writing, which is renamed to `path` when the block succeeds.

    Text is UTF-8 with "\\n" line ends. After an exception (a full disk, Ctrl-C) the old file is unchanged and
    the temporary one removed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = staging_path(path)
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n"}
    try:
        with open(part, mode, **text) as file:  # type: ignore[call-overload]
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
        fsync_folder(path.parent)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path | str) -> Iterator[Path]:
    """Yield an empty temporary folder, which replaces `path` on success and is removed otherwise."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = staging_path(path)
    part.mkdir()
    try:
        yield part
        _fsync(part)
        _replace(part, path)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_json(path: Path | str, value: Any) -> None:
    """Write `value` as indented JSON; equal values give equal bytes."""
    with atomic_file(path) as file:
        json.dump(value, file, indent=2, ensure_ascii=False)
        file.write("\n")


def write_lines(path: Path | str, rows: Iterable[Any]) -> None:
    """Write dataclasses as JSON, one a line."""
    with atomic_file(path) as file:
        file.writelines(json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in rows)


def write_csv(path: Path | str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write rows below a header."""
    with atomic_file(path) as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(columns)
        table.writerows(rows)


def read_json(path: Path | str, kind: type = dict) -> Any:
    """Read a JSON file whose value is an object, or a `kind`.

    A file that is missing, larger than LARGEST_JSON bytes, not valid JSON, or of another type raises
    ValueError that names it.
    """
    try:
        path = Path(path)
        if path.exists() and not (path.is_file() and path.stat().st_size <= LARGEST_JSON):
            raise ValueError(f"it is not a regular file of at most {LARGEST_JSON:,} bytes")
        value = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(value, kind):
            raise ValueError(f"it is a {type(value).__name__}, not a {kind.__name__}")
    except FileNotFoundError:
        raise ValueError(
            f"{path} is missing; run the stage that writes it (`dvc repro` runs all stages that are needed)"
        ) from None
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{path} is not valid JSON ({error}); delete it and run `dvc repro`, which writes it again"
        ) from None
    return value


def publish(results: Mapping[Path, str], out: Path) -> None:
    """Copy each file or folder to its name below `out`: all, or after an error such as a full disk, none.

    Files in folders are hard-linked where possible: the folders are models, which are never changed in place.
    """
    parts: dict[Path, Path] = {}
    try:
        for source, name in results.items():
            path = out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            parts[path] = staging_path(path)
            if source.is_dir():
                shutil.copytree(source, parts[path], copy_function=_link)
            else:
                shutil.copy2(source, parts[path])
            _fsync(parts[path])
        for path, part in parts.items():
            _replace(part, path)
    finally:
        for part in parts.values():
            shutil.rmtree(part, ignore_errors=True) if part.is_dir() else part.unlink(missing_ok=True)


def _replace(part: Path, path: Path) -> None:
    """Rename a file or folder. rename() cannot replace a folder with files, which is moved away first."""
    old = staging_path(path)
    if part.is_dir() and path.exists():
        os.replace(path, old)
    os.replace(part, path)
    fsync_folder(path.parent)
    shutil.rmtree(old, ignore_errors=True)


def _fsync(path: Path) -> None:
    """Flush a file, or each file in a folder, to disk."""
    for file in (path, *path.rglob("*")):
        if file.is_file():
            with open(file, "rb") as opened:
                os.fsync(opened.fileno())


def _link(source: str, place: str) -> None:
    try:
        os.link(source, place)
    except OSError:
        shutil.copy2(source, place)


def sha256(path: Path | str) -> str:
    """Hash a file's bytes, or the sorted relative paths and hashes of a folder's files, as hex."""
    path = Path(path)
    if path.is_dir():
        return fingerprint(
            {str(f.relative_to(path)): sha256(f) for f in sorted(path.rglob("*")) if f.is_file()}
        )
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(value: Any) -> str:
    """Hash a JSON-like value, independent of the order of keys, as hex."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def staging_path(path: Path) -> Path:
    """A unique path in the same folder, and so on the same filesystem, where renaming is atomic."""
    return path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}.part")


def fsync_folder(folder: Path) -> None:
    """Flush a folder's entries (the names of its files) to disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
