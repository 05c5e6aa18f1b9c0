"""List unfinished trainings in scratch/, which the same commands would resume; delete=true removes them.

The hidden states of frozen blocks, which later trainings reuse, are listed and removed, too. A training that
is still running is listed as in use, and never removed.
"""

import os
import time
from pathlib import Path

from rich.box import SIMPLE
from rich.table import Table

from foundling.scratch import (
    FROZEN,
    SCRATCH,
    RunFolder,
    list_checkpoints,
    lock_folder,
    read_holder,
    step_of,
    unfinished_runs,
)
from foundling.settings import Job
from foundling.terminal import show

MIB = 2**20
AGES = ((86400, "days"), (3600, "hours"), (60, "minutes"), (1, "seconds"))


def run(job: Job) -> None:
    """Print the table; with clean.delete, remove the trainings that no process uses."""
    table = Table("stage", "folder", "step", "age", "MiB", "state", box=SIMPLE)
    for column in table.columns[2:5]:
        column.justify = "right"
    for stage, folder in unfinished_runs():
        kept, size = list_checkpoints(folder), sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
        changed = max(file.stat().st_mtime for file in (folder, *kept))
        row = (stage, str(folder), f"{step_of(kept[0]):,}" if kept else "-", age(time.time() - changed))
        left = "kept for later trainings" if stage == FROZEN else "left over"
        table.add_row(*row, f"{size / MIB:,.1f}", _state(folder, left, job.settings.clean.delete))
    if table.row_count:
        show(table)
    else:
        print(f"no unfinished training in {SCRATCH}/")


def age(seconds: float) -> str:
    """A time span in its largest unit."""
    size, unit = next((entry for entry in AGES if seconds >= entry[0]), AGES[-1])
    return f"{seconds / size:.0f} {unit}"


def _state(folder: Path, left: str, delete: bool) -> str:
    """The state of the folder: in use by a process, removed, or `left`."""
    holder = read_holder(folder)
    lock = lock_folder(folder)
    if lock is None:
        return f"in use by process {holder['process']} on {holder['machine']}"
    if delete:
        RunFolder(folder, lock).remove()
        return "removed"
    os.close(lock)
    return left
