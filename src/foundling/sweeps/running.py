"""Run the jobs of a sweep once each: find the folder of a sweep that was stopped, keep what is finished."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from foundling.outcomes import Diverged, Pruned
from foundling.sweeps.records import (
    SWEEP,
    JobRecord,
    SweepRecord,
    read_job,
    read_jobs,
    read_sweep,
    write_job,
    write_sweep,
)

log = logging.getLogger(__name__)


def open_sweep(record: SweepRecord, folder: Path, *, search: bool) -> tuple[Path, str]:
    """The folder for a sweep's jobs, and what to tell the user about an earlier one, or an empty text.

    It is `folder`, or with `search` the folder next to it of an equal sweep that was stopped. ValueError if
    the folder has the jobs of another sweep.
    """
    stopped = [] if (folder / SWEEP).is_file() or not search else _stopped(folder.parent, record)
    same = [found for found, earlier in stopped if earlier.identity == record.identity]
    place = same[-1] if same else folder
    earlier = read_sweep(place)
    note = ""
    if earlier is not None and earlier.identity != record.identity:
        raise ValueError(
            f"{place} has the jobs of another sweep, or of other inputs or code; delete it, or set "
            "hydra.sweep.dir to another folder"
        )
    if earlier is not None:
        ended = sum(job.has_ended for job in read_jobs(place).values())
        count = f"{ended} of {len(record.planned)}" if record.planned else str(ended)
        note = f"continuing {place}: {count} jobs are done; delete this folder to start over"
    elif stopped:
        note = f"starting over: since {stopped[-1][0]} was stopped, its settings, inputs or code have changed"
    write_sweep(place, record)
    return place, note


def _stopped(folder: Path, record: SweepRecord) -> list[tuple[Path, SweepRecord]]:
    """The unfinished sweeps that the same command line started, oldest first."""
    found = []
    for path in sorted(folder.glob(f"*/{SWEEP}")):
        earlier = read_sweep(path.parent)
        if earlier is not None and not earlier.finished:
            same_line = (earlier.command, earlier.arguments) == (record.command, record.arguments)
            if same_line or earlier.identity == record.identity:
                found.append((path.parent, earlier))
    return found


def finish_sweep(folder: Path) -> None:
    """Record that all jobs have ended, so that the same command starts a new sweep."""
    record = read_sweep(folder)
    if record is not None:
        write_sweep(folder, replace(record, finished=True))


def run_job(record: JobRecord, folder: Path, run: Callable[[], float]) -> float | None:
    """Run a job, unless its folder has the results of an equal one; record how it ended.

    Returns what `run` returned, now or earlier; None for a training that diverged or was pruned.
    """
    earlier = read_job(folder)
    if earlier is not None and earlier.identity == record.identity and earlier.has_ended:
        log.info(f"{folder} is kept: {earlier.state} before")
        return earlier.value if earlier.state == "finished" else None
    if earlier is not None and earlier.identity == record.identity:
        record = replace(record, scratch=earlier.scratch)
    write_job(folder, record)
    try:
        value = run()
    except Diverged as error:
        log.warning(f"{folder}: {error}")
        write_job(folder, replace(record, state="diverged", reason=str(error)))
        return None
    except Pruned as stop:
        log.info(f"{folder}: {stop}")
        write_job(folder, replace(record, state="pruned", value=stop.loss, step=stop.step))
        return None
    write_job(folder, replace(record, state="finished", value=value))
    return value
