"""Where files lie: named ones in the mirror, on disk or at a URL, checked; the user's own in a folder or by a glob.

A named file is {mirror, path, url, size, sha256, note}: its path in the mirror folder, its path elsewhere, its URL (or
several), tried in this order until one has the right bytes (so many, of that hash); `note` is said when none has.
"""

import glob
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from foundling.artifacts import sha256
from foundling.data.download import download
from foundling.data.sources import name_of, urls_of


def locate(file: Mapping[str, Any], scratch: Path, mirror: Path | None) -> Path:
    """The first of a file's places that has it with the right bytes; downloads go to `scratch`.

    ValueError says each place that was tried and where to put the file.
    """
    expected, tried = file.get("sha256"), []
    if file.get("mirror") and mirror is None:
        tried.append("no mirror (FOUNDLING_MIRROR and runtime.mirror are not set)")
    for place in (mirror / file["mirror"] if mirror and file.get("mirror") else None, file.get("path")):
        if place:
            path = Path(place).expanduser()
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
        f"{name_of(file)} did not come: tried {', '.join(tried)}; mend: put the file"
        + (f" with sha256 {expected}" if expected else "")
        + f" at {goal if file.get('mirror') else file.get('path') or 'a `path` on disk'}"
        + (" and set FOUNDLING_MIRROR (or runtime.mirror) to that mirror folder" if mirror is None else "")
        + (f"; {file['note']}" if file.get("note") else "")
    )


def on_disk(pattern: str, wanted: Callable[[Path], bool]) -> list[tuple[Path, Path]]:
    """The files of a path, folder or glob as (file, name below the folder), sorted; a path alone is always wanted."""
    path = Path(pattern).expanduser()
    if path.is_file():
        return [(path, Path(path.name))]
    if path.is_dir():
        root, found = path, list(path.rglob("*"))
    else:
        fixed = next((at for at, part in enumerate(path.parts) if glob.has_magic(part)), len(path.parts))
        root = Path(*path.parts[:fixed])
        found = [Path(file) for file in glob.glob(str(path), recursive=True)]
    names = sorted(file.relative_to(root) for file in set(found) if file.is_file())
    files = [(root / name, name) for name in names if wanted(name)]
    if not files:
        raise ValueError(
            f"found {f'no readable one among {len(names)} files' if names else 'nothing'} at {pattern} (seen from "
            f"{Path.cwd()}); allowed are a file, a folder or a glob of txt, md, jsonl, json, csv, tsv and parquet "
            "files, each also .gz or .zst; mend the path, or set the source's `format`"
        )
    return files


def _problem(path: Path, file: Mapping[str, Any]) -> str | None:
    """Why a file on disk cannot be taken, or None."""
    if not path.is_file():
        return "not there"
    if file.get("size") and path.stat().st_size != file["size"]:
        return f"wrong size: expected {file['size']:,} bytes but got {path.stat().st_size:,}"
    expected = file.get("sha256")
    found = sha256(path) if expected else None
    return None if found == expected else f"wrong checksum: expected {expected} but got {found}"
