"""Sweeps of trainings between the command line and Hydra: their folder, and each job once."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from foundling import inputs
from foundling.overrides import Sweep
from foundling.selection import key_of
from foundling.settings import Job
from foundling.sweeps import identity, records, running


def open_folder(command: str, sweep: Sweep, first: Job) -> Path:
    """Find or create the folder of a sweep whose first job is `first`; tells the user if it continues."""
    record = records.SweepRecord(
        identity=identity.sweep_identity(_identity(command, first), sweep.swept, sweep.sweeper),
        command=command,
        arguments=tuple(one for one in sweep.typed if key_of(one) != "hydra.job.name"),  # is `command`
        swept=tuple(key_of(override) for override in sweep.swept),
        planned=sweep.jobs,
    )
    place, note = running.open_sweep(record, sweep.folder, search=not sweep.has_folder)
    if note:
        print(note, file=sys.stderr)
    return place


def folder_of(run: Any) -> Path:
    """The folder of a job by Hydra's section, relative to the project if it is in there."""
    folder, project = Path(run.runtime.output_dir), Path.cwd()
    return folder.relative_to(project) if folder.is_relative_to(project) else folder


def run_once(command: str, job: Job, run: Any, train: Callable[[], float]) -> float | None:
    """Run a training as a job of a sweep, unless it has ended before; `run` is Hydra's section."""
    record = records.JobRecord(
        number=run.job.num, identity=_identity(command, job), overrides=tuple(run.overrides.task)
    )
    return running.run_job(record, job.out, train)


def _identity(command: str, job: Job) -> str:
    return identity.job_identity(command, job.recipe, inputs.hashes(command, job.settings))
