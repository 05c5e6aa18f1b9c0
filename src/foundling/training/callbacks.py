"""What happens beside the steps of a training: seeding, rows of metrics, the progress bar."""

import csv
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar
from torch import nn

TRAIN_FILE, VALIDATION_FILE = "train.csv", "validation.csv"
TRAIN_COLUMNS = ("step", "tokens", "train/loss", "lr", "grad_norm")
STRIDE = 1_000_003  # a prime between the seeds of two runs, so that their batches do not share seeds


class SeedEachBatch(Callback):
    """Make dropout a function of (seed, batch), so that a resumed run draws what the uninterrupted one does."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Seed torch for this batch."""
        torch.manual_seed(self.seed * STRIDE + batch_idx)


class Recorder(Callback):
    """Every `every` steps a row of training metrics, after each validation a row of its own: CSV, logger, progress bar.

    Losses stay on the device between two rows, so that a GPU never waits for them. `speed` holds tokens and seconds
    spent in steps alone, validation and snapshots not counted.
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
        self.steps, self.seconds = 0, 0.0
        self._losses: list[torch.Tensor] = []
        self._norm = torch.zeros(())
        self._since, self._steps_then = time.perf_counter(), 0

    @property
    def tokens_per_second(self) -> float:
        """Throughput of all steps so far."""
        return self.steps * self.tokens_per_step / self.seconds if self.seconds else 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._resume_clock(trainer)

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Any) -> None:
        """Note the gradient's norm before it is clipped, where a row will want it."""
        if (trainer.global_step + 1) % self.every == 0 or trainer.global_step == 0:
            gradients = [p.grad for p in pl_module.network.parameters() if p.grad is not None]  # type: ignore[union-attr]
            self._norm = nn.utils.get_total_norm(gradients)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Keep the loss; after the last part of a step that is due, write the row."""
        self._losses.append(outputs["loss"].detach() + outputs["rest"])
        step = trainer.global_step
        if (batch_idx + 1) % trainer.accumulate_grad_batches:
            return
        if step % self.every == 0 or step == 1:
            self._row(trainer)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop the clock of the steps."""
        self._stop_clock(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the validation's row and go on."""
        row = {"tokens": trainer.global_step * self.tokens_per_step, **pl_module.validation}  # type: ignore[dict-item]
        self.validation.add(row)
        self._publish(trainer, row)
        self._resume_clock(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop the clock for good."""
        self._stop_clock(trainer)

    def _row(self, trainer: Trainer) -> None:
        step = trainer.global_step
        # Lightning divides a part's loss by the number of parts; .item() waits for the device: the clock is honest
        loss = torch.stack(self._losses).mean().item() * trainer.accumulate_grad_batches
        self._losses.clear()
        self._stop_clock(trainer)
        row = {
            "step": step,
            "tokens": step * self.tokens_per_step,
            "train/loss": loss,
            "lr": trainer.optimizers[0].param_groups[0]["lr"],
            "grad_norm": float(self._norm),
        }
        self.train.add(row)
        speed = {"tokens_per_second": self.tokens_per_second}
        if self.peak_flops:
            speed["mfu"] = self.tokens_per_second * self.flops_per_token / self.peak_flops
        self._publish(trainer, row | speed)
        self._resume_clock(trainer)

    def _publish(self, trainer: Trainer, row: Mapping[str, float]) -> None:
        self.latest |= row
        for logger in trainer.loggers:
            logger.log_metrics({k: v for k, v in row.items() if k != "step"}, step=int(row["step"]))

    def _stop_clock(self, trainer: Trainer) -> None:
        if trainer.global_step > self._steps_then:  # time without a step in it is start-up, validation, snapshots
            self.seconds += time.perf_counter() - self._since
            self.steps += trainer.global_step - self._steps_then
        self._resume_clock(trainer)

    def _resume_clock(self, trainer: Trainer) -> None:
        self._since, self._steps_then = time.perf_counter(), trainer.global_step


class Bar(TQDMProgressBar):
    """Lightning's progress bar with our metrics: loss, validation loss, tokens per second; tqdm adds the time left."""

    def __init__(self, recorder: Recorder, refresh_rate: int) -> None:
        super().__init__(refresh_rate=refresh_rate, leave=True)
        self.recorder = recorder

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """The newest row of each kind."""
        latest = self.recorder.latest
        shown = {name: f"{latest[name]:.3f}" for name in ("train/loss", "val/loss") if name in latest}
        return shown | {"tokens/s": f"{self.recorder.tokens_per_second:,.0f}"}


class Table:
    """A CSV file that grows by rows, whole at every moment but the last line."""

    def __init__(self, path: Path, columns: tuple[str, ...]) -> None:
        self.path, self.columns = path, columns
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow(columns)

    def add(self, row: Mapping[str, float]) -> None:
        """Append the row's columns, to six significant digits."""
        with open(self.path, "a", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow(
                [f"{row[c]:.6g}" if isinstance(row[c], float) else row[c] for c in self.columns]
            )
