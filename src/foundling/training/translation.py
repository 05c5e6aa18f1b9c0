"""Translation as a LightningModule: batches (source, lengths, inputs, targets), smoothed cross-entropy."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from foundling.model.loss import IGNORE_INDEX, next_token_loss
from foundling.model.translator import Translator
from foundling.training.module import Batch, TrainingModule
from foundling.training.optim import Schedule

Bleu = Callable[[Translator], float]


class TranslationModule(TrainingModule):
    """Train `network` on (source, lengths, inputs, targets); validate on the whole split, unsmoothed.

    `bleu` scores the network's translations of some validation sentences.
    """

    measures = ("val/loss", "val/perplexity", "val/bleu")

    def __init__(
        self,
        network: Translator,
        optimizer: Callable[[nn.Module], Optimizer],
        schedule: Schedule,
        *,
        label_smoothing: float,
        bleu: Bleu,
    ) -> None:
        super().__init__(network, optimizer, schedule)
        self.label_smoothing, self.bleu = label_smoothing, bleu

    def loss(self, microbatch: Batch, batch: Batch) -> Tensor:
        source, lengths, inputs, targets = microbatch
        logits = self.network(source, lengths, inputs)
        if microbatch is batch:
            return next_token_loss(logits, targets, smoothing=self.label_smoothing)
        return (
            next_token_loss(logits, targets, "sum", self.label_smoothing) / (batch[3] != IGNORE_INDEX).sum()
        )

    def validation_sums(self, batch: Batch) -> Tensor:
        """The sum of the losses in nats, and the number of targets."""
        source, lengths, inputs, targets = batch
        nats = next_token_loss(self.network(source, lengths, inputs), targets, reduction="sum")
        return torch.stack((nats, (targets != IGNORE_INDEX).sum()))

    def summarize(self, sums: Sequence[float]) -> dict[str, float]:
        nats, targets = sums
        loss = nats / targets
        return {
            "val/loss": loss,
            "val/perplexity": math.exp(min(loss, 700.0)),
            "val/bleu": self.bleu(self.gather()),
        }
