"""Next-token prediction as a LightningModule: pretraining, and tuning on batches whose targets are masked."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from foundling.model.language_loss import language_loss
from foundling.model.loss import IGNORE_INDEX
from foundling.training.module import Batch, TrainingModule
from foundling.training.optim import Schedule


class LanguageModule(TrainingModule):
    """Train `network` on (ids, targets[, segments]), each (B, T); segments separate texts that share a row.

    `validation_bytes` is the size of the validation text in bytes, for bits per byte. With `masked`, logits
    are computed only at positions whose target is not IGNORE_INDEX, which is cheaper if many targets are
    masked.
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
        super().__init__(network, optimizer, schedule)
        self.validation_bytes, self.masked = validation_bytes, masked

    def loss(self, microbatch: Batch, batch: Batch) -> Tensor:
        if microbatch is batch:
            return self._token_loss(batch)
        return self._token_loss(microbatch, "sum") / (batch[1] != IGNORE_INDEX).sum()

    def validation_sums(self, batch: Batch) -> Tensor:
        """The sum of the losses in nats, and the number of targets."""
        return torch.stack((self._token_loss(batch, "sum"), (batch[1] != IGNORE_INDEX).sum()))

    def summarize(self, sums: Sequence[float]) -> dict[str, float]:
        nats, targets = sums
        loss = nats / targets
        return {
            "val/loss": loss,
            "val/perplexity": math.exp(min(loss, 700.0)),
            "val/bits_per_byte": nats / math.log(2) / self.validation_bytes,
        }

    def _token_loss(self, batch: Batch, reduction: str = "mean") -> Tensor:
        ids, targets, *segments = batch
        return language_loss(
            self.network,
            ids,
            targets,
            reduction,
            segments=segments[0] if segments else None,
            masked=self.masked,
            logits=self.logits,
        )
