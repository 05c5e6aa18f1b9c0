"""Next-token prediction as a LightningModule: pretraining, and tuning on batches whose targets are masked."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from foundling.model.loss import IGNORE_INDEX, next_token_loss
from foundling.training.optim import Schedule
from foundling.training.parts import Batch, InParts


class LanguageModule(InParts):
    """Train `network` on (ids, targets[, segments]), each (B, T); validate by summing over the whole split.

    segments keeps apart the texts that share a row.

    `optimizer` makes the optimizer of a network, `schedule` gives the factor of its rates at a step,
    `validation_bytes` is the size of the validation text in bytes, for bits per byte. `masked` says that many targets
    are IGNORE_INDEX, so that the head is to be spared there.
    """

    measures = ("val/loss", "val/perplexity", "val/bits_per_byte")

    def __init__(
        self,
        network: nn.Module,
        optimizer: Callable[[nn.Module], Optimizer],
        schedule: Schedule,
        validation_bytes: int,
        masked: bool = False,
    ) -> None:
        super().__init__()
        self.network = network
        self.make_optimizer = optimizer
        self.schedule = schedule
        self.validation_bytes = validation_bytes
        self.masked = masked
        self.validation: dict[str, float] = {}  # the newest whole validation, with its step

    def share(self, part: Batch, whole: Batch) -> Tensor:
        """The part's share of the mean loss over the whole batch's tokens, in nats."""
        if part is whole:
            return self._loss(whole)
        return self._loss(part, "sum") / (whole[1] != IGNORE_INDEX).sum()

    def on_validation_epoch_start(self) -> None:
        """Begin the sums anew."""
        self.sums = torch.zeros(2, dtype=torch.float64, device=self.device if self.device.type != "mps" else "cpu")

    def validation_step(self, batch: Batch, index: int) -> None:
        """Add a batch's surprise and its number of targets."""
        total = self._loss(batch, reduction="sum")
        count = (batch[1] != IGNORE_INDEX).sum()
        self.sums += torch.stack((total, count)).to(self.sums)

    def on_validation_epoch_end(self) -> None:
        """Loss per token, perplexity and bits per byte of the whole split."""
        sums = self.trainer.strategy.reduce(self.sums, reduce_op="sum")
        nats, count = sums.tolist() if isinstance(sums, Tensor) else sums
        loss = nats / count
        self.validation = {
            "step": self.global_step,
            "val/loss": loss,
            "val/perplexity": math.exp(min(loss, 700.0)),
            "val/bits_per_byte": nats / math.log(2) / self.validation_bytes,
        }

    def _loss(self, batch: Batch, reduction: str = "mean") -> Tensor:
        ids, targets, *segments = batch
        asked = {"segments": segments[0]} if segments else {}
        if not self.masked:
            return next_token_loss(self.network(ids, **asked), targets, reduction)
        counted = targets != IGNORE_INDEX
        logits = self.network(ids, at=counted, **asked)  # (N, V)
        return next_token_loss(logits.unsqueeze(0), targets[counted].unsqueeze(0), reduction)

    def configure_optimizers(self) -> Any:
        """The optimizer, with the schedule stepped once an optimizer step."""
        optimizer = self.make_optimizer(self.network)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": LambdaLR(optimizer, self.schedule), "interval": "step"},
        }
