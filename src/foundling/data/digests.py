"""Hashes of the user's own files, cached by size and times, so that an unchanged file is not read again."""

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from foundling.artifacts import atomic_file, fingerprint, sha256
from foundling.metrics.data import Digest

CACHE = Path("scratch/hashes.json")  # ignored by git: it contains absolute paths and times
SETTLED = 2.0  # seconds; a more recent file may change again without a new time on a coarse clock


def digest(files: Iterable[tuple[Path, Path]]) -> Digest:
    """The digest of (file, name) pairs."""
    known = _read(CACHE)
    hashes, remembered = {}, {}
    for file, name in files:
        key, stat = str(file.absolute()), file.stat()
        state = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
        entry = known.get(key)
        if not isinstance(entry, list) or entry[:-1] != state:
            entry = [*state, sha256(file)]
        if time.time() - max(stat.st_mtime, stat.st_ctime) > SETTLED:
            remembered[key] = entry
        hashes[name.as_posix()] = entry[-1]
    if not remembered.items() <= known.items():
        with atomic_file(CACHE) as opened:
            json.dump(known | remembered, opened)
    return Digest(files=len(hashes), sha256=fingerprint(hashes))


def _read(cache: Path) -> dict[str, Any]:
    """The cache of earlier runs; empty if the file is missing or damaged."""
    try:
        known = json.loads(cache.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
