"""Translation as a LightningModule: batches (source, lengths, inputs, targets), cross-entropy with label smoothing."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from foundling.model.loss import IGNORE_INDEX, next_token_loss
from foundling.model.translator import Translator
from foundling.training.optim import Schedule
from foundling.training.parts import Batch, InParts

Measure = Callable[[Translator], float]


class TranslationModule(InParts):
    """Train `network` on (source, lengths, inputs, targets); validate over the whole split, without smoothing.

    `bleu` tells how good the network's translations of some validation sentences are.
    """

    measures = ("val/loss", "val/perplexity", "val/bleu")

    def __init__(
        self,
        network: Translator,
        optimizer: Callable[[nn.Module], Optimizer],
        schedule: Schedule,
        *,
        label_smoothing: float,
        bleu: Measure,
    ) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise ValueError(
                f"found translator.label_smoothing={label_smoothing}; it is at least 0 and below 1; 0.1 is usual"
            )
        self.network = network
        self.make_optimizer = optimizer
        self.schedule = schedule
        self.label_smoothing, self.bleu = label_smoothing, bleu
        self.validation: dict[str, float] = {}  # the newest whole validation, with its step

    def share(self, part: Batch, whole: Batch) -> Tensor:
        """The part's share of the mean smoothed loss over the whole batch's target tokens, in nats."""
        source, lengths, inputs, targets = part
        logits = self.network(source, lengths, inputs)
        if part is whole:
            return next_token_loss(logits, targets, smoothing=self.label_smoothing)
        counted = (whole[3] != IGNORE_INDEX).sum()
        return next_token_loss(logits, targets, "sum", self.label_smoothing) / counted

    def on_validation_epoch_start(self) -> None:
        """Begin the sums anew."""
        self.sums = torch.zeros(2, dtype=torch.float64, device=self.device if self.device.type != "mps" else "cpu")

    def validation_step(self, batch: Batch, index: int) -> None:
        """Add a batch's surprise and its number of targets."""
        source, lengths, inputs, targets = batch
        total = next_token_loss(self.network(source, lengths, inputs), targets, reduction="sum")
        self.sums += torch.stack((total, (targets != IGNORE_INDEX).sum())).to(self.sums)

    def on_validation_epoch_end(self) -> None:
        """Loss per token and perplexity of the whole split, and BLEU."""
        nats, count = self.sums.tolist()
        loss = nats / count
        self.validation = {
            "step": self.global_step,
            "val/loss": loss,
            "val/perplexity": math.exp(min(loss, 700.0)),
            "val/bleu": self.bleu(self.network),
        }

    def configure_optimizers(self) -> Any:
        """The optimizer, with the schedule stepped once an optimizer step."""
        optimizer = self.make_optimizer(self.network)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": LambdaLR(optimizer, self.schedule), "interval": "step"},
        }
