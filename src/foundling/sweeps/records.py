"""What a sweep's folder records: sweep.json about the sweep, and job.json in the folder of each job."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic.dataclasses import dataclass

from foundling.metrics import SCHEMA, read_metrics, write_metrics

JOB, SWEEP = "job.json", "sweep.json"
# what a training returns: the measure, and whether a higher one is better
OBJECTIVES = {
    "pretrain": ("val/loss", False),
    "classify": ("val/loss", False),
    "instruct": ("accuracy", True),
    "train_translator": ("BLEU", True),
}


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class JobRecord:
    """One job of a sweep: what determines its result, and how far it has come."""

    number: int
    identity: str  # the hash of its recipe, inputs and code
    overrides: tuple[str, ...]
    scratch: str | None = None  # the folder of its unfinished training
    state: Literal["started", "finished", "diverged", "pruned"] = "started"
    value: float | None = None  # what the stage returned; of a pruned job, its last validation loss
    step: int | None = None  # after which it was pruned
    reason: str | None = None  # why it diverged

    @property
    def has_ended(self) -> bool:
        return self.state != "started"


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class SweepRecord:
    """A sweep: the command that started it, and its jobs as far as they are known before they start."""

    identity: str  # the hash of its first job and of the values that the others have
    command: str
    arguments: tuple[str, ...]  # of the command line
    swept: tuple[str, ...]  # the keys whose values differ between jobs
    planned: tuple[tuple[str, ...], ...]  # the overrides of each job; empty ones if a sweeper chooses them
    finished: bool = False


def read_sweep(folder: Path) -> SweepRecord | None:
    """The record of a sweep; None for a folder that has none."""
    return read_metrics(folder / SWEEP, SweepRecord) if (folder / SWEEP).is_file() else None


def write_sweep(folder: Path, record: SweepRecord) -> None:
    """Write the record of a sweep."""
    write_metrics(folder / SWEEP, record)


def read_job(folder: Path) -> JobRecord | None:
    """The record of a job; None if it has not started."""
    return read_metrics(folder / JOB, JobRecord) if (folder / JOB).is_file() else None


def write_job(folder: Path, record: JobRecord) -> None:
    """Write the record of a job."""
    write_metrics(folder / JOB, record)


def job_folders(sweep: Path) -> dict[int, Path]:
    """The folders of the jobs that have started, by number."""
    numbers = {read_metrics(path, JobRecord).number: path.parent for path in sweep.glob(f"*/{JOB}")}
    return dict(sorted(numbers.items()))


def read_jobs(sweep: Path) -> dict[int, JobRecord]:
    """The jobs that have started, by number."""
    return {number: read_metrics(folder / JOB, JobRecord) for number, folder in job_folders(sweep).items()}


def note_scratch(folder: Path, scratch: Path) -> None:
    """Record where a job's training keeps its checkpoints, if the folder belongs to a job."""
    record = read_job(folder)
    if record is not None:
        write_job(folder, replace(record, scratch=str(scratch)))


def best_job(command: str, jobs: dict[int, JobRecord]) -> JobRecord | None:
    """The finished job with the best result, the first of equal ones."""
    ended = [job for job in jobs.values() if job.state == "finished" and job.value is not None]
    sign = -1 if OBJECTIVES[command][1] else 1
    return min(ended, key=lambda job: sign * (job.value or 0.0), default=None)
