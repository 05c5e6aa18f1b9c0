"""Classification as a LightningModule: batches (ids, lengths, labels), cross-entropy over the labels.

Instead of ids (B, T) a batch may hold the states (B, T, C) after the frozen blocks; see training/frozen.py.

An optional auxiliary loss, next-token prediction on the same texts, preserves the trunk as a language model
and adapts it to these texts (Radford et al. 2018, 3.2).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from foundling.data.labelled import label_text
from foundling.model import lora
from foundling.model.classifier import Classifier
from foundling.model.loss import IGNORE_INDEX, next_token_loss
from foundling.settings.training import Lora
from foundling.training.module import Batch, TrainingModule
from foundling.training.optim import Schedule


class ClassificationModule(TrainingModule):
    """Train `network` on (ids, lengths, labels); validate over the whole split.

    `head_rate` multiplies the learning rate of the head, which starts at zero; `language_loss` is the weight
    of the auxiliary loss; `label_smoothing` spreads that fraction of the target over all labels (Szegedy et
    al. 2016, 7); `class_weights` (K,) are the labels' weights in the loss; None weights all labels equally.
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
            built = optimizer(network)
            scale_rate(built, self.network.head.parameters(), head_rate)
            return built

        super().__init__(network, with_head_rate, schedule)
        self.language_loss, self.label_smoothing = language_loss, label_smoothing
        self.register_buffer("class_weights", class_weights, persistent=False)

    def loss(self, microbatch: Batch, batch: Batch) -> Tensor:
        """The mean over texts, plus the weighted auxiliary loss, which is a mean over tokens."""
        ids, lengths, labels = microbatch
        logits, hidden = self.network(ids, lengths, with_hidden=True)  # (B, K), (B, T, C)
        logits = logits.float()
        is_whole = microbatch is batch
        reduction = "mean" if is_whole else "sum"
        loss = F.cross_entropy(
            logits, labels, self.class_weights, reduction=reduction, label_smoothing=self.label_smoothing
        )
        if not is_whole:
            loss = loss / (
                len(batch[2]) if self.class_weights is None else self.class_weights[batch[2]].sum()
            )
        if self.language_loss:
            logits = self.network.trunk.head(hidden[:, :-1])  # (B, T - 1, V)
            token_loss = next_token_loss(logits, next_tokens(ids, lengths), reduction)
            loss = loss + self.language_loss * token_loss / (1 if is_whole else (batch[1] - 1).sum())
        return loss

    def validation_sums(self, batch: Batch) -> Tensor:
        """The sum of the losses in nats, and the numbers of correct predictions and of texts."""
        ids, lengths, labels = batch
        logits = self.network(ids, lengths).float()
        nats = F.cross_entropy(logits, labels, reduction="sum")
        correct = (logits.argmax(-1) == labels).sum()
        return torch.stack((nats, correct, torch.tensor(len(labels), device=self.device)))

    def summarize(self, sums: Sequence[float]) -> dict[str, float]:
        nats, correct, texts = sums
        return {"val/loss": nats / texts, "val/accuracy": correct / texts}


def next_tokens(ids: Tensor, lengths: Tensor) -> Tensor:
    """Targets (B, T - 1) of next-token prediction, with IGNORE_INDEX after the end of a text."""
    positions = torch.arange(1, ids.size(1), device=ids.device)  # (T - 1,)
    return ids[:, 1:].masked_fill(positions >= lengths[:, None], IGNORE_INDEX)


def scale_rate(optimizer: Optimizer, parameters: Iterable[nn.Parameter], factor: float) -> None:
    """Move parameters to groups of their own, whose learning rate is `factor` times as high."""
    scaled = {id(p) for p in parameters}
    for group in list(optimizer.param_groups):
        moved = [p for p in group["params"] if id(p) in scaled]
        if moved:
            group["params"] = [p for p in group["params"] if id(p) not in scaled]
            optimizer.add_param_group({**group, "params": moved, "lr": group["lr"] * factor})


def class_weights(
    setting: Literal["balanced"] | Mapping[str, float] | None, labels: Sequence[str], ids: np.ndarray
) -> Tensor | None:
    """Weights (K,) of the labels, or None for equal weights. `ids` (N,) are the labels of the training texts.

    "balanced" gives label k the weight N / (K · n_k), as scikit-learn does, so that each label contributes
    equally. A mapping {label: weight} gives the labels that it does not name the weight 1.
    """
    if setting is None:
        return None
    if setting == "balanced":
        return torch.from_numpy(len(ids) / (len(labels) * np.bincount(ids, minlength=len(labels)))).float()
    weights = {label_text(label): weight for label, weight in setting.items()}
    for label in weights:
        if label not in labels:
            raise ValueError(f"classify.class_weights.{label}: must be one of the labels {', '.join(labels)}")
    return torch.tensor([float(weights.get(label, 1.0)) for label in labels])


def choose_trainable(
    network: Classifier, train: Literal["head", "last", "all", "lora"], last: int, settings: Lora, seed: int
) -> int:
    """Freeze the weights that are not trained, in place; returns the number of trained parameters.

    The classification head is always trained. head: nothing else. last: also the last `last` blocks and the
    final norm. all: also the whole trunk. lora: also low-rank differences to the trunk's linear layers, in
    all blocks or the last ones, by `settings`.
    """
    trunk = network.trunk
    if train == "last" and last > len(trunk.blocks):
        raise ValueError(
            f"classify.last={last}: must be at most {len(trunk.blocks)}, the number of the base's blocks"
        )
    trunk.requires_grad_(train == "all")
    if train == "last":
        for module in (*trunk.blocks[-last:], trunk.norm):
            module.requires_grad_(True)
    if train == "lora":
        lora.wrap(trunk, settings, seed)
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
