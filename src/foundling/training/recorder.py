"""Record a training: a row of metrics every few steps, one for each validation, and the throughput."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from torch import Tensor

from foundling.training.rows import Table

TRAIN_FILE, VALIDATION_FILE = "train.csv", "validation.csv"
TRAIN_COLUMNS = ("step", "tokens", "train/loss", "lr", "grad_norm")


class Recorder(Callback):
    """Writes metrics to CSV files, logger and progress bar: a row every `every` steps and per validation.

    Losses stay on the device between two rows, so that recording does not block a GPU. The clock measures
    training steps only, neither validation nor snapshots.
    """

    def __init__(
        self,
        folder: Path,
        every: int,
        tokens_per_step: int,
        measures: tuple[str, ...],
        flops_per_token: float,
        peak_flops: float | None,
    ):
        self.train = Table(folder / TRAIN_FILE, TRAIN_COLUMNS)
        self.validation = Table(folder / VALIDATION_FILE, ("step", "tokens", *measures))
        self.every, self.tokens_per_step = every, tokens_per_step
        self.flops_per_token, self.peak_flops = flops_per_token, peak_flops
        self.latest: dict[str, float] = {}
        self.skipped: list[int] = []  # batches that were skipped after a fault
        self.steps, self.seconds = 0, 0.0
        self._losses: list[Tensor] = []
        self._since, self._step = time.perf_counter(), 0

    @property
    def tokens_per_second(self) -> float:
        """Throughput over all steps so far."""
        return self.steps * self.tokens_per_step / self.seconds if self.seconds else 0.0

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self.train.create()
        self.validation.create()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._losses = [loss.to(pl_module.device) for loss in self._losses]  # restored on the CPU
        self.start_clock()

    def record(self, trainer: Trainer, loss: Tensor, norm: Tensor) -> None:
        """Add a step's loss and gradient norm (before clipping); write a row if one is due."""
        self._losses.append(loss)
        self._step = trainer.global_step
        if self._step % self.every == 0 or self._step == 1:
            self._write_row(trainer, norm)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._stop_clock()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        row = {"tokens": trainer.global_step * self.tokens_per_step, **pl_module.validation}  # type: ignore[dict-item]
        self.validation.add_row(row)
        self._log(trainer, row)
        self.start_clock()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._stop_clock()

    def state_dict(self) -> dict[str, Any]:
        self._stop_clock()
        return {
            "train": self.train.size(),
            "validation": self.validation.size(),
            "latest": self.latest,
            "steps": self.steps,
            "seconds": self.seconds,
            "losses": list(self._losses),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.train.truncate(state_dict["train"])
        self.validation.truncate(state_dict["validation"])
        self.latest, self.seconds = state_dict["latest"], state_dict["seconds"]
        self.steps = self._step = state_dict["steps"]
        self._losses = state_dict["losses"]

    def start_clock(self) -> None:
        """Measure time from now on; time since the clock was last stopped is not counted."""
        self._since = time.perf_counter()

    def _write_row(self, trainer: Trainer, norm: Tensor) -> None:
        loss = torch.stack(self._losses).mean().item()  # waits for the device before the clock is read
        self._losses.clear()
        self._stop_clock()
        row = {
            "step": self._step,
            "tokens": self._step * self.tokens_per_step,
            "train/loss": loss,
            "lr": trainer.optimizers[0].param_groups[0]["lr"],
            "grad_norm": float(norm),
        }
        self.train.add_row(row)
        speed = {"tokens_per_second": self.tokens_per_second}
        if self.peak_flops:
            speed["mfu"] = self.tokens_per_second * self.flops_per_token / self.peak_flops
        self._log(trainer, row | speed)
        self.start_clock()

    def _log(self, trainer: Trainer, row: Mapping[str, float]) -> None:
        self.latest |= row
        for logger in trainer.loggers:
            logger.log_metrics({k: v for k, v in row.items() if k != "step"}, step=int(row["step"]))

    def _stop_clock(self) -> None:
        if self._step > self.steps:  # an interval without a step is start-up, validation or a snapshot
            self.seconds += time.perf_counter() - self._since
            self.steps = self._step
        self.start_clock()
