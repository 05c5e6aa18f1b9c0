"""A stage's run in W&B: started, logged to and finished without ever failing the stage."""

import logging
import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from foundling.artifacts import read_json, write_json
from foundling.processes import is_first_process
from foundling.settings import Job
from foundling.tracking.lineage import log_lineage
from foundling.tracking.names import names
from foundling.tracking.server import reachable_mode
from foundling.tracking.settings import WandbSettings, resolve
from foundling.tracking.tables import summary, tables

if TYPE_CHECKING:
    import wandb

T = TypeVar("T")
log = logging.getLogger(__name__)
# unless the environment has other values; the limits are seconds for a server to start and to finish a run
LIMITS = {"WANDB_INIT_TIMEOUT": "20", "WANDB_FINISH_TIMEOUT": "120", "WANDB_SILENT": "true"}
NOTE = "wandb.json"  # a training's run, in its scratch folder
AXIS = "tokens"
# metrics with tokens as their x-axis, and what their summary shows
SUMMARIES = {
    "train/*": None,
    "val/*": None,
    **dict.fromkeys(("train/loss", "val/loss", "val/perplexity", "val/bits_per_byte"), "min,last"),
    **dict.fromkeys(("val/accuracy", "val/bleu", "grad_norm"), "max,last"),
    "lr": "max,last",
    "tokens_per_second": "mean,last",
    "mfu": "mean,last",
}


class TrackedRun:
    """One run; without W&B, and after W&B has failed, its methods do nothing."""

    def __init__(self, run: "wandb.Run | None", stage: str) -> None:
        self.wandb, self.stage = run, stage
        self.address = _address(run) if run else None  # its URL, or its id offline

    def log(self, row: Mapping[str, float]) -> None:
        """Log measures of one step, or of the whole run."""
        self._try(lambda run: run.log(dict(row)), "a row")

    def log_results(self, out: Path, parent: Path | None = None) -> None:
        """Log what the stage has published below `out`: metrics, tables, charts, and the lineage."""
        self._try(lambda run: run.summary.update(summary(self.stage, out)), "the metrics")
        if found := self._try(lambda _: tables(self.stage, out), "the tables"):
            self._try(lambda run: run.log(found), "the tables")
        self._try(lambda run: log_lineage(run, self.stage, out, parent), "the lineage")

    def finish(self, failed: bool = False) -> None:
        """End the run, so that the next job of a sweep starts its own."""
        self._try(lambda run: run.finish(exit_code=int(failed)), "the end of the run")
        self.wandb = None

    def _try(self, action: "Callable[[wandb.Run], T]", what: str) -> T | None:
        """Call W&B; an error is a warning, and ends the logging."""
        if self.wandb is None:
            return None
        try:
            return action(self.wandb)
        except Exception as error:
            run, self.wandb = self.wandb, None
            with suppress(Exception):
                run.finish(exit_code=1)
            with suppress(Exception):  # finish() does so, but fails before it where W&B's process is dead
                run._console_stop()
            _reset()
            _warn(f"cannot log {what}, nor anything after it", error)
            return None


def start(job: Job, stage: str, scratch: Path | None = None) -> TrackedRun:
    """Start a stage's run with the whole recipe as its config, if W&B is on and this process is the first.

    In `scratch` the run's id is stored, so that a resumed training logs to the same run.
    """
    settings = resolve(job.settings.runtime.logger)
    if settings.mode == "disabled" or not is_first_process():
        return TrackedRun(None, stage)
    for variable, value in LIMITS.items():
        os.environ.setdefault(variable, value)
    try:
        if reachable_mode(settings) == "online":
            try:
                return TrackedRun(_init(job, stage, settings, "online", scratch), stage)
            except Exception as error:
                _warn("the server refused the run; logging offline", error)
                _reset()
        return TrackedRun(_init(job, stage, settings, "offline", scratch), stage)
    except Exception as error:
        _warn("cannot log", error)
        return TrackedRun(None, stage)


def _init(
    job: Job, stage: str, settings: WandbSettings, mode: Literal["online", "offline"], scratch: Path | None
) -> "wandb.Run":
    import wandb

    named = names(job, stage, settings)
    own = {"stage": stage, "experiment": named.experiment, "commit": named.commit}
    is_sweep = "WANDB_SWEEP_ID" in os.environ  # W&B then sets these itself, and warns about other values
    settings.folder.mkdir(parents=True, exist_ok=True)
    run = wandb.init(
        project=None if is_sweep else settings.project,
        entity=None if is_sweep else settings.entity,
        id=None if is_sweep else _id(scratch),
        resume="allow",
        reinit="finish_previous",  # that of a sweep's job which was stopped
        name=named.name,
        group=named.group,
        tags=named.tags,
        job_type=stage,
        dir=str(settings.folder.absolute()),
        config={**job.recipe, **own, "overrides": named.overrides},
        mode=mode,
    )
    run.define_metric(AXIS)
    for metric, shown in SUMMARIES.items():
        run.define_metric(metric, step_metric=AXIS, summary=shown)
    return run


def _id(scratch: Path | None) -> str:
    """The id of the run to resume, else that of WANDB_RUN_ID, else a new one.

    WANDB_RUN_ID names a single run, so it is not used for the stages of a pipeline.
    """
    note = scratch / NOTE if scratch else None
    if note and note.is_file():
        return str(read_json(note)["id"])
    in_pipeline = "DVC_STAGE" in os.environ
    run = (None if in_pipeline else os.environ.get("WANDB_RUN_ID")) or secrets.token_hex(4)
    if note:
        write_json(note, {"id": run})
    return run


def _address(run: "wandb.Run") -> str:
    return (None if run.offline else run.url) or f"offline, run {run.id}"


def _reset() -> None:
    """Forget a failed run, which still has its id, and W&B's process, which may be dead."""
    import wandb

    with suppress(Exception):
        wandb.teardown()


def _warn(what: str, error: Exception) -> None:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    log.warning(f"W&B: {what} ({reason})")
