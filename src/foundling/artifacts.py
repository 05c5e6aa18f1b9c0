"""Atomic writes: to a temporary path, fsync, rename. A final name always holds a whole artifact, the old or the new."""

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

LARGEST_JSON = 64 << 20  # bytes; what is parsed takes some ten times as much memory


@contextmanager
def atomic_file(path: Path | str, mode: str = "w") -> Iterator[IO[Any]]:
    """Open a file for writing that takes its name only when the block ends well.

    Text is UTF-8 with "\\n" line ends. An exception (a full disk, Ctrl-C) leaves no trace and the old file untouched.
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
    """Yield an empty folder that replaces `path` as a whole when the block ends well, and vanishes when it does not."""
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
    """Read a JSON file that holds an object, or `kind`.

    A file that is missing, of more than LARGEST_JSON bytes, no JSON, or holds something else raises ValueError that
    names it.
    """
    try:
        path = Path(path)
        if path.exists() and not (path.is_file() and path.stat().st_size <= LARGEST_JSON):
            raise ValueError(f"it is no plain file of at most {LARGEST_JSON:,} bytes")
        value = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(value, kind):
            raise ValueError(f"it holds a {type(value).__name__} where a {kind.__name__} is expected")
    except FileNotFoundError:
        raise ValueError(
            f"{path} is missing; run the stage that makes it (`dvc repro` runs all that are needed)"
        ) from None
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{path} is no valid JSON ({error}); delete it and run `dvc repro`, which makes it again"
        ) from None
    return value


def publish(results: Mapping[Path, str], out: Path) -> None:
    """Copy each file or folder to its name below `out`: all of them, or, after an error such as a full disk, none.

    Files of folders are linked where the disk allows: they are models, which nobody changes in place.
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
    """Rename a file or folder to its final name. rename() cannot replace a folder that holds files: move it aside."""
    old = staging_path(path)
    if part.is_dir() and path.exists():
        os.replace(path, old)
    os.replace(part, path)
    fsync_folder(path.parent)
    shutil.rmtree(old, ignore_errors=True)


def _fsync(path: Path) -> None:
    """Wait until a file, or each file of a folder, is on the disk."""
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
    """Hash a file's bytes, or a folder's sorted relative names with their files' hashes, as hex."""
    path = Path(path)
    if path.is_dir():
        return fingerprint({str(f.relative_to(path)): sha256(f) for f in sorted(path.rglob("*")) if f.is_file()})
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(value: Any) -> str:
    """Hash a JSON-like value (key order does not count), as hex."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def staging_path(path: Path) -> Path:
    """A sibling name that no other process uses: same filesystem, so that the rename is atomic."""
    return path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}.part")


def fsync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
