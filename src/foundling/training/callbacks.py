"""What happens beside the steps of a training: seeding, rows of metrics, the progress bar."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar
from torch import nn

from foundling.data.loading import Order
from foundling.training.rows import Table

TRAIN_FILE, VALIDATION_FILE = "train.csv", "validation.csv"
TRAIN_COLUMNS = ("step", "tokens", "train/loss", "lr", "grad_norm")
STRIDE = 1_000_003  # a prime between the seeds of two runs, so that their batches do not share seeds


class SeedEachBatch(Callback):
    """Make dropout a function of (seed, batch), so that a resumed run draws what the uninterrupted one does."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Seed torch for this batch, by its number since the first step."""
        torch.manual_seed(self.seed * STRIDE + trainer.fit_loop.total_batch_idx)


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
        self.left_out: dict[str, list[int]] = {}  # {"left_out": batches} where faults made the training leave some out
        self.steps, self.seconds = 0, 0.0
        self._losses: list[torch.Tensor] = []
        self._norm = torch.zeros(())
        self._since, self._step = time.perf_counter(), 0

    @property
    def tokens_per_second(self) -> float:
        """Throughput of all steps so far."""
        return self.steps * self.tokens_per_step / self.seconds if self.seconds else 0.0

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Begin the tables, unless they were resumed."""
        self.train.begin()
        self.validation.begin()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._losses = [loss.to(pl_module.device) for loss in self._losses]  # those of a checkpoint are on the CPU
        self.start_clock()

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
        self._step = trainer.global_step
        if (batch_idx + 1) % trainer.accumulate_grad_batches:
            return
        if self._step % self.every == 0 or self._step == 1:
            self._row(trainer)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop the clock of the steps."""
        self._stop_clock()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the validation's row and go on."""
        row = {"tokens": trainer.global_step * self.tokens_per_step, **pl_module.validation}  # type: ignore[dict-item]
        self.validation.add_row(row)
        self._publish(trainer, row)
        self.start_clock()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop the clock for good."""
        self._stop_clock()

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run has to know: the rows so far, the losses since the last one, the clock."""
        self._stop_clock()
        return {
            "train": self.train.state(),
            "validation": self.validation.state(),
            "latest": self.latest,
            "steps": self.steps,
            "seconds": self.seconds,
            "losses": list(self._losses),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self.train.resume(state_dict["train"])
        self.validation.resume(state_dict["validation"])
        self.latest, self.seconds = state_dict["latest"], state_dict["seconds"]
        self.steps = self._step = state_dict["steps"]
        self._losses = state_dict["losses"]

    def start_clock(self) -> None:
        """Count the time from now on."""
        self._since = time.perf_counter()

    def _row(self, trainer: Trainer) -> None:
        step = self._step
        # Lightning divides a part's loss by the number of parts; .item() waits for the device: the clock is honest
        loss = torch.stack(self._losses).mean().item() * trainer.accumulate_grad_batches
        self._losses.clear()
        self._stop_clock()
        row = {
            "step": step,
            "tokens": step * self.tokens_per_step,
            "train/loss": loss,
            "lr": trainer.optimizers[0].param_groups[0]["lr"],
            "grad_norm": float(self._norm),
        }
        self.train.add_row(row)
        speed = {"tokens_per_second": self.tokens_per_second}
        if self.peak_flops:
            speed["mfu"] = self.tokens_per_second * self.flops_per_token / self.peak_flops
        self._publish(trainer, row | speed)
        self.start_clock()

    def _publish(self, trainer: Trainer, row: Mapping[str, float]) -> None:
        self.latest |= row
        for logger in trainer.loggers:
            logger.log_metrics({k: v for k, v in row.items() if k != "step"}, step=int(row["step"]))

    def _stop_clock(self) -> None:
        if self._step > self.steps:  # time without a step in it is start-up, validation, snapshots
            self.seconds += time.perf_counter() - self._since
            self.steps = self._step
        self.start_clock()


class Bar(TQDMProgressBar):
    """Lightning's progress bar with our metrics: loss, validation loss, tokens per second; tqdm adds the time left.

    A training that goes on shows all its steps, those before as done.
    """

    def __init__(self, recorder: Recorder, order: Order) -> None:
        self.order = order
        super().__init__(refresh_rate=max(1, self.total_train_batches // 200), leave=True)
        self.recorder = recorder

    @property
    def total_train_batches(self) -> int:
        """All batches, also those before a checkpoint."""
        return self.order.steps * self.order.accumulate

    def on_train_epoch_start(self, trainer: Trainer, *_: Any) -> None:
        """Begin where the training does."""
        super().on_train_epoch_start(trainer)
        self.train_progress_bar.initial = self.order.first * self.order.accumulate

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count from the first step of all."""
        super().on_train_batch_end(trainer, pl_module, outputs, batch, trainer.fit_loop.total_batch_idx)

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """The newest row of each kind."""
        latest = self.recorder.latest
        shown = {name: f"{latest[name]:.3f}" for name in ("train/loss", "val/loss") if name in latest}
        return shown | {"tokens/s": f"{self.recorder.tokens_per_second:,.0f}"}
