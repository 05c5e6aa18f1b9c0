"""Classification as a LightningModule: batches (ids, lengths, labels), cross-entropy over the labels.

An optional auxiliary task, next-token prediction on the same texts, keeps the trunk a language model and teaches it how
these texts are written (Radford et al. 2018, 3.2).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from foundling.data.labelled import label_text
from foundling.model.classifier import Classifier
from foundling.model.loss import IGNORE_INDEX, next_token_loss
from foundling.training.module import Batch, TrainingModule
from foundling.training.optim import Schedule


class ClassificationModule(TrainingModule):
    """Train `network` on (ids, lengths, labels); validate over the whole split.

    `head_rate` multiplies the learning rate of the head, which starts at zero; `language_loss` is the weight of the
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
        def with_head_rate(network: nn.Module) -> Optimizer:
            made = optimizer(network)
            scale_rate(made, self.network.head.parameters(), head_rate)
            return made

        super().__init__(network, with_head_rate, schedule)
        self.language_loss, self.label_smoothing = language_loss, label_smoothing
        self.register_buffer("class_weights", class_weights, persistent=False)

    def loss(self, microbatch: Batch, batch: Batch) -> Tensor:
        """The mean over the texts; the auxiliary loss is a mean over their tokens."""
        ids, lengths, labels = microbatch
        hidden = self.network.trunk.hidden(ids)  # (B, T, C)
        logits = self.network.classify(hidden, lengths).float()  # (B, K)
        is_whole = microbatch is batch
        reduction = "mean" if is_whole else "sum"
        loss = F.cross_entropy(
            logits, labels, self.class_weights, reduction=reduction, label_smoothing=self.label_smoothing
        )
        if not is_whole:
            loss = loss / (len(batch[2]) if self.class_weights is None else self.class_weights[batch[2]].sum())
        if self.language_loss:
            logits = self.network.trunk.head(hidden[:, :-1])  # (B, T - 1, V)
            token_loss = next_token_loss(logits, following(ids, lengths), reduction)
            loss = loss + self.language_loss * token_loss / (1 if is_whole else (batch[1] - 1).sum())
        return loss

    def validation_sums(self, batch: Batch) -> Tensor:
        """Nats, hits and texts."""
        ids, lengths, labels = batch
        logits = self.network(ids, lengths).float()
        nats = F.cross_entropy(logits, labels, reduction="sum")
        hits = (logits.argmax(-1) == labels).sum()
        return torch.stack((nats, hits, torch.tensor(len(labels), device=self.device)))

    def summarize(self, sums: Sequence[float]) -> dict[str, float]:
        nats, hits, texts = sums
        return {"val/loss": nats / texts, "val/accuracy": hits / texts}


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
