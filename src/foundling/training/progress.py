"""Lightning's progress bar with our metrics: training and validation loss, tokens per second, time left."""

from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar

from foundling.data.loading import BatchOrder
from foundling.training.recorder import Recorder


class ProgressBar(TQDMProgressBar):
    """A progress bar over all steps; a resumed training starts it at the checkpoint's step."""

    def __init__(self, recorder: Recorder, order: BatchOrder) -> None:
        self.order, self.recorder = order, recorder
        super().__init__(refresh_rate=max(1, order.steps // 200), leave=True)

    @property
    def total_train_batches(self) -> int:
        return self.order.steps

    def on_train_epoch_start(self, trainer: Trainer, *_: Any) -> None:
        super().on_train_epoch_start(trainer)
        self.train_progress_bar.initial = self.order.first

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        super().on_train_batch_end(trainer, pl_module, outputs, batch, trainer.fit_loop.total_batch_idx)

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        latest = self.recorder.latest
        shown = {name: f"{latest[name]:.3f}" for name in ("train/loss", "val/loss") if name in latest}
        return shown | {"tokens/s": f"{self.recorder.tokens_per_second:,.0f}"}
