"""How far the jobs of a sweep have come, and the commands that run its best job or continue it."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foundling.literals import as_typed, is_text
from foundling.scratch import in_use, list_checkpoints, step_of
from foundling.selection import key_of
from foundling.sweeps.records import JobRecord, SweepRecord, read_jobs


@dataclass(frozen=True)
class JobStatus:
    """A row of the table of jobs."""

    number: int
    values: tuple[str, ...]  # of the swept keys; empty texts if a sweeper has yet to choose them
    state: str
    record: JobRecord | None  # None for a job that waits


def statuses(folder: Path, sweep: SweepRecord) -> list[JobStatus]:
    """The jobs of a sweep in the order of their numbers: those that have started, and the planned ones."""
    started = read_jobs(folder)
    rows = []
    for number in range(max([len(sweep.planned), *(number + 1 for number in started)], default=0)):
        record = started.get(number)
        planned = sweep.planned[number] if number < len(sweep.planned) else ()
        values = _values(planned if record is None else record.overrides, sweep.swept)
        rows.append(JobStatus(number, values, _state(record), record))
    return rows


def single_command(sweep: SweepRecord, job: JobRecord) -> str:
    """The command that runs a job of a sweep by itself, in the workspace."""
    typed = {key_of(argument) for argument in sweep.arguments} | set(sweep.swept)
    words = [_as_typed(one) for one in job.overrides if key_of(one) in typed]
    mode = ["hydra.mode=RUN"] if "sweep" in typed else []
    return shlex.join(["foundling", sweep.command, *words, *mode])


def sweep_command(sweep: SweepRecord) -> str:
    """The command that started a sweep, and continues it."""
    typed = {key_of(argument) for argument in sweep.arguments}
    flag = [] if typed & {"sweep", "hydra.mode"} else ["-m"]
    return shlex.join(["foundling", sweep.command, *flag, *sweep.arguments])


def _values(overrides: Sequence[str], keys: Sequence[str]) -> tuple[str, ...]:
    values = {key_of(override): _as_typed(override).partition("=")[2] for override in overrides}
    return tuple(values.get(key, "") for key in keys)


def _as_typed(override: str) -> str:
    """An override for the command line, where texts are not quoted for Hydra."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    key, _, _ = override.partition("=")
    if not is_text(key.lstrip("+")):
        return override
    value: Any = OverridesParser.create().parse_override(override).value()
    return f"{key}={'null' if value is None else as_typed(str(value))}"


def _state(record: JobRecord | None) -> str:
    if record is None:
        return "waiting"
    if record.has_ended:
        return f"pruned after step {record.step:,}" if record.state == "pruned" else record.state
    folder = Path(record.scratch) if record.scratch else None
    checkpoints = list_checkpoints(folder) if folder is not None and folder.is_dir() else []
    step = f"{step_of(checkpoints[0]):,}" if checkpoints else "0"
    if folder is not None and in_use(folder):
        return f"running, checkpoint at step {step}"
    return f"interrupted at step {step}"
