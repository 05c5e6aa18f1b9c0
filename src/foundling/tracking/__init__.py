"""Weights & Biases, in addition to our own files: each stage that computes something logs a run.

Nothing here changes a result, so its code is not hashed (foundling.code), and no failure here fails a stage.
wandb is imported only if logging is on.
"""

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from foundling.settings import Job
from foundling.tracking.run import TrackedRun as TrackedRun
from foundling.tracking.run import start as start

T = TypeVar("T")


def logged(stage: Callable[[Job], T]) -> Callable[[Job], T]:
    """Log the run of a stage that is not a training: its settings when it starts, its results at the end."""
    name = stage.__module__.rpartition(".")[2]

    @wraps(stage)
    def with_logging(job: Job) -> T:
        run = start(job, name)
        try:
            result = stage(job)
            run.log_results(job.out)
        except BaseException:
            run.finish(failed=True)
            raise
        run.finish()
        return result

    return with_logging
