"""Where a training's unfinished work lies: scratch/<stage>/<key>, locked against a second process, gone when done.

The key is the hash of what the result is made of: the same command finds its work again, and no other command does.
"""

import fcntl
import json
import os
import re
import shutil
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foundling.artifacts import fingerprint

SCRATCH, LOCK = Path("scratch"), "lock"
FAULTS = "faults"  # what to do about a bad batch changes nothing of the steps before it, so it is no part of the key
CHECKPOINT = re.compile(r"step-(\d{8,})-[0-9a-f]{64}\.safetensors")  # the step, and the sha256 of the file's bytes
RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID")  # which of several processes of one training this is


@dataclass(frozen=True)
class Work:
    """A training's folder, which this process holds."""

    folder: Path
    held: int | None  # the descriptor of its lock; None in the training's second, third, … process

    def done(self) -> None:
        """Remove it: the results have their final names. At no moment is it there in part."""
        if self.held is not None:
            leaving = self.folder.with_name(f".{self.folder.name}.{os.getpid()}.part")
            os.replace(self.folder, leaving)
            shutil.rmtree(leaving)
            os.close(self.held)


def begin(stage: str, origin: Mapping[str, Any]) -> Work:
    """Take the folder of a stage whose result has this origin (its provenance); ValueError while it is in use.

    What an earlier run left in it is there; only files that it was still writing are removed.
    """
    config = {name: {k: v for k, v in part.items() if k != FAULTS} for name, part in origin["config"].items()}
    folder = SCRATCH / stage / fingerprint({**origin, "config": config})[:16]
    if any(os.environ.get(rank, "0") != "0" for rank in RANKS):
        return Work(folder, None)
    held = take(folder)
    if held is None:
        holder = holder_of(folder)
        raise ValueError(
            f"{folder} is in use by {holder['command']} (process {holder['process']} on {holder['machine']} since "
            f"{holder['since']}); wait for it, or end it with `kill {holder['process']}`, and this command continues it"
        )
    for part in folder.rglob(".*.part"):
        shutil.rmtree(part) if part.is_dir() else part.unlink()
    return Work(folder, held)


def take(folder: Path) -> int | None:
    """Lock a folder, made if it is not there: the lock's descriptor, or None while another process has it.

    The lock is of the process: it goes with it, however it ends, and its children (data workers) do not inherit it.
    """
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        held = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.lockf(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(held)
            return None
        try:
            if os.path.samestat(os.fstat(held), os.stat(folder / LOCK)):
                break
        except FileNotFoundError:
            pass
        os.close(held)  # the folder was removed in this very moment, and the lock with it: once more
    me = {
        "process": os.getpid(),
        "machine": socket.gethostname(),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
        "command": Path(sys.argv[0]).name,
    }
    os.ftruncate(held, 0)
    os.pwrite(held, json.dumps(me).encode(), 0)
    return held


def holder_of(folder: Path) -> dict[str, Any]:
    """Who took a folder last: process, machine, since, command."""
    unknown = dict.fromkeys(("process", "machine", "since", "command"), "unknown")
    try:
        return unknown | json.loads((folder / LOCK).read_text())
    except (OSError, ValueError):
        return unknown


def folders() -> Iterator[tuple[str, Path]]:
    """(stage, folder) of all unfinished work."""
    for lock in sorted(SCRATCH.glob(f"*/*/{LOCK}")):
        yield lock.parent.parent.name, lock.parent


def checkpoints(folder: Path) -> list[Path]:
    """A training's checkpoints, the newest first; of two of one step, the one written last."""
    paths = [path for path in folder.glob("step-*") if CHECKPOINT.fullmatch(path.name)]
    return sorted(paths, key=lambda path: (step_of(path), path.stat().st_mtime_ns), reverse=True)


def step_of(checkpoint: Path) -> int:
    """The step that a checkpoint's name holds."""
    return int(checkpoint.name.split("-")[1])
