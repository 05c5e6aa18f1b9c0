"""The folder of an unfinished training: scratch/<stage>/<key>, locked by one process, removed when done.

The key is a hash of everything that determines the result, so that only the same command finds the folder
again.
"""

import fcntl
import json
import logging
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
from foundling.processes import is_first_process

SCRATCH, LOCK = Path("scratch"), "lock"
FROZEN = "frozen"  # the folder below SCRATCH of hidden states that trainings share
FAULTS = "faults"  # not in the key: how a bad batch is handled does not change the steps before it
CHECKPOINT = re.compile(r"step-(\d{8,})-[0-9a-f]{64}\.safetensors")  # step, sha256 of the file
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunFolder:
    """A training's folder, which this process has locked."""

    path: Path
    lock: int | None  # the lock's file descriptor; None in a training's second, third, … process

    def remove(self) -> None:
        """Remove the folder atomically, after its results are published."""
        if self.lock is not None:
            leaving = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
            os.replace(self.path, leaving)
            shutil.rmtree(leaving)
            os.close(self.lock)

    def release(self) -> None:
        """Unlock the folder, and keep it."""
        if self.lock is not None:
            os.close(self.lock)


def start_run(stage: str, provenance: Mapping[str, Any]) -> RunFolder:
    """Lock the folder of a stage whose result has this provenance; ValueError while another process uses it.

    Files of an earlier run are kept, except those that it had not finished writing.
    """
    config = {
        name: {key: value for key, value in section.items() if key != FAULTS}
        for name, section in provenance["config"].items()
    }
    folder = SCRATCH / stage / fingerprint({**provenance, "config": config})[:16]
    if not is_first_process():
        return RunFolder(folder, None)
    lock = lock_folder(folder)
    if lock is None:
        holder = read_holder(folder)
        raise ValueError(
            f"{folder} is in use by {holder['command']} (process {holder['process']} on {holder['machine']} "
            f"since {holder['since']}); wait for it, or stop it with `kill {holder['process']}`: this "
            "command then resumes it"
        )
    _remove_parts(folder)
    return RunFolder(folder, lock)


def wait_for_folder(folder: Path) -> RunFolder:
    """Lock a folder whose content trainings share, as soon as no other process has locked it."""
    lock = lock_folder(folder)
    if lock is None:
        log.info(f"waiting for process {read_holder(folder)['process']}, which is writing {folder}")
    while lock is None:
        time.sleep(1)
        lock = lock_folder(folder)
    _remove_parts(folder)
    return RunFolder(folder, lock)


def _remove_parts(folder: Path) -> None:
    """Remove the files that an earlier process was still writing."""
    for part in folder.rglob(".*.part"):
        shutil.rmtree(part) if part.is_dir() else part.unlink()


def lock_folder(folder: Path) -> int | None:
    """Create a folder if it is missing, and lock it; returns the lock's descriptor, or None if it is locked.

    The lock is released when the process ends, however it ends; its children (data workers) do not inherit
    it.
    """
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            return None
        try:
            if os.path.samestat(os.fstat(lock), os.stat(folder / LOCK)):
                break
        except FileNotFoundError:
            pass
        os.close(lock)  # another process has just removed the folder, and the lock file with it: try again
    holder = {
        "process": os.getpid(),
        "machine": socket.gethostname(),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
        "command": Path(sys.argv[0]).name,
    }
    os.ftruncate(lock, 0)
    os.pwrite(lock, json.dumps(holder).encode(), 0)
    return lock


def in_use(folder: Path) -> bool:
    """Whether a process has locked an existing folder."""
    try:
        lock = os.open(folder / LOCK, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False


def read_holder(folder: Path) -> dict[str, str | int]:
    """The process that locked a folder last: process, machine, since, command."""
    unknown: dict[str, str | int] = dict.fromkeys(("process", "machine", "since", "command"), "unknown")
    try:
        return unknown | json.loads((folder / LOCK).read_text())
    except (OSError, ValueError):
        return unknown


def unfinished_runs() -> Iterator[tuple[str, Path]]:
    """(stage, folder) of all unfinished trainings."""
    for lock in sorted(SCRATCH.glob(f"*/*/{LOCK}")):
        yield lock.parent.parent.name, lock.parent


def list_checkpoints(folder: Path) -> list[Path]:
    """A training's checkpoints, newest first: by step, then by the time of writing."""
    paths = [path for path in folder.glob("step-*") if CHECKPOINT.fullmatch(path.name)]
    return sorted(paths, key=lambda path: (step_of(path), path.stat().st_mtime_ns), reverse=True)


def step_of(checkpoint: Path) -> int:
    """The step in a checkpoint's name."""
    return int(checkpoint.name.split("-")[1])
