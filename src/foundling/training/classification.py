"""Classification as a LightningModule: batches (ids, lengths, labels), cross-entropy over the labels.

Beside it, by weight, the next-token loss on the same texts: an auxiliary task that keeps the trunk a language model and
lets it learn how these texts are written (Radford et al. 2018, 3.2).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from foundling.data.labelled import label_text
from foundling.model.classifier import Classifier
from foundling.model.loss import IGNORE_INDEX, next_token_loss
from foundling.training.optim import Schedule
from foundling.training.parts import Batch, InParts


class ClassificationModule(InParts):
    """Train `network` on (ids, lengths, labels); validate over the whole split.

    `head_rate` multiplies the learning rate of the head, which begins at zero; `language_loss` is the weight of the
    auxiliary loss; `label_smoothing` is the share of the target spread over all labels, so that training does not end
    in certainty (Szegedy et al. 2016, 7); `class_weights` (K,) weighs the labels, None all alike.
    """

    measures = ("val/loss", "val/accuracy")
    class_weights: Tensor | None

    def __init__(
        self,
        network: Classifier,
        optimizer: Callable[[nn.Module], Optimizer],
        schedule: Schedule,
        *,
        head_rate: float,
        language_loss: float,
        label_smoothing: float,
        class_weights: Tensor | None,
    ) -> None:
        super().__init__()
        self.network = network
        self.make_optimizer = optimizer
        self.schedule = schedule
        self.head_rate, self.language_loss, self.label_smoothing = head_rate, language_loss, label_smoothing
        self.register_buffer("class_weights", class_weights, persistent=False)
        self.validation: dict[str, float] = {}  # the newest whole validation, with its step

    def share(self, part: Batch, whole: Batch) -> Tensor:
        """The part's share of the mean loss over the whole batch's texts, in nats, and of that over their tokens."""
        ids, lengths, labels = part
        hidden = self.network.trunk.hidden(ids)  # (B, T, C)
        logits = self.network.classify(hidden, lengths).float()  # (B, K)
        reduction = "mean" if part is whole else "sum"
        loss = F.cross_entropy(
            logits, labels, self.class_weights, reduction=reduction, label_smoothing=self.label_smoothing
        )
        if part is not whole:
            loss = loss / (len(whole[2]) if self.class_weights is None else self.class_weights[whole[2]].sum())
        if self.language_loss:
            tokens = next_token_loss(self.network.trunk.head(hidden[:, :-1]), following(ids, lengths), reduction)
            counted = 1 if part is whole else (whole[1] - 1).sum()
            loss = loss + self.language_loss * tokens / counted
        return loss

    def on_validation_epoch_start(self) -> None:
        """Begin the sums anew."""
        self.sums = torch.zeros(3, dtype=torch.float64, device=self.device if self.device.type != "mps" else "cpu")

    def validation_step(self, batch: Batch, index: int) -> None:
        """Add a batch's loss, hits and size."""
        ids, lengths, labels = batch
        logits = self.network(ids, lengths).float()
        loss = F.cross_entropy(logits, labels, reduction="sum")
        hits = (logits.argmax(-1) == labels).sum()
        self.sums += torch.stack((loss, hits, torch.tensor(len(labels), device=self.device))).to(self.sums)

    def on_validation_epoch_end(self) -> None:
        """Loss per text and accuracy of the whole split."""
        loss, hits, count = self.sums.tolist()
        self.validation = {"step": self.global_step, "val/loss": loss / count, "val/accuracy": hits / count}

    def configure_optimizers(self) -> Any:
        """The optimizer, the head at a rate of its own, with the schedule stepped once an optimizer step."""
        optimizer = self.make_optimizer(self.network)
        scale_rate(optimizer, self.network.head.parameters(), self.head_rate)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": LambdaLR(optimizer, self.schedule), "interval": "step"},
        }


def following(ids: Tensor, lengths: Tensor) -> Tensor:
    """Targets (B, T - 1) of next-token prediction: what follows each token, IGNORE_INDEX behind a text's end."""
    places = torch.arange(1, ids.size(1), device=ids.device)  # (T - 1,)
    return ids[:, 1:].masked_fill(places >= lengths[:, None], IGNORE_INDEX)


def scale_rate(optimizer: Optimizer, parameters: Iterable[nn.Parameter], factor: float) -> None:
    """Take parameters out of their groups into groups of their own, alike but for `factor` times the rate."""
    chosen = {id(p) for p in parameters}
    for group in list(optimizer.param_groups):
        those = [p for p in group["params"] if id(p) in chosen]
        if those:
            group["params"] = [p for p in group["params"] if id(p) not in chosen]
            optimizer.add_param_group({**group, "params": those, "lr": group["lr"] * factor})


def class_weights(asked: str | Mapping[str, float] | None, labels: Sequence[str], ids: np.ndarray) -> Tensor | None:
    """Weights (K,) of the labels, or None: all alike. `ids` (N,) are the training texts' labels.

    balanced: N / (K · n_k), so that each label has the same say, as in scikit-learn; {label: weight}: 1 for the others.
    """
    if asked is None:
        return None
    if asked == "balanced":
        return torch.from_numpy(len(ids) / (len(labels) * np.bincount(ids, minlength=len(labels)))).float()
    weights = {label_text(label): weight for label, weight in asked.items()} if isinstance(asked, Mapping) else {}
    unknown = [label for label in weights if label not in labels] if isinstance(asked, Mapping) else [asked]
    if unknown:
        raise ValueError(
            f"classify.class_weights names {unknown[0]!r}; allowed are null, balanced, or a weight for some of the "
            f"labels {', '.join(labels)}"
        )
    return torch.tensor([float(weights.get(label, 1.0)) for label in labels])
