"""The logger of Lightning's Trainer: a stage's W&B run."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from foundling.tracking import TrackedRun

if TYPE_CHECKING:
    from lightning.pytorch.loggers import WandbLogger


def lightning_logger(run: TrackedRun) -> "WandbLogger | None":
    """A logger for the run, which custom callbacks find as `trainer.logger`; None without W&B."""
    if run.wandb is None:
        return None
    from lightning.pytorch.loggers import WandbLogger

    class StepLogger(WandbLogger):
        """Logs rows with their step under its name in our files, and never fails a training."""

        def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
            run.log(metrics if step is None else {"step": step, **metrics})

    return StepLogger(experiment=run.wandb)
