"""Loss, perplexity and bits per byte of a stream of held-out token ids."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from foundling.evaluation.likelihood import log_probabilities
from foundling.metrics.evaluate import HeldOut, TextLoss
from foundling.model.interface import LanguageModel


@dataclass(frozen=True)
class TextNats:
    """A text's negative log-likelihood in nats, its number of predicted tokens, and its size in bytes."""

    nats: float
    tokens: int
    bytes: int

    def __add__(self, other: "TextNats") -> "TextNats":
        return TextNats(self.nats + other.nats, self.tokens + other.tokens, self.bytes + other.bytes)

    @property
    def metrics(self) -> TextLoss:
        """Loss, perplexity and bits per byte."""
        loss = self.nats / self.tokens
        return TextLoss(
            val_loss=loss,
            val_perplexity=math.exp(loss),
            val_bits_per_byte=self.nats / math.log(2) / self.bytes,
            tokens=self.tokens,
        )


def text_nats(
    model: LanguageModel, ids: np.ndarray, text_bytes: int, batch_tokens: int, window: int | None = None
) -> TextNats:
    """Score `ids` (N,), which may be a memory map, in adjacent windows, each target once.

    A window has `window` tokens, by default the model's context.

    The first prediction in a window has a context of only one token, so the loss is slightly higher than with
    a sliding window; validation during training does the same. Fewer than two tokens raise ValueError.
    """
    if len(ids) < 2:
        raise ValueError(
            f"a held-out text of {len(ids)} tokens: must have at least 2; increase corpus.split.validation "
            f"or add text"
        )
    window, targets = window or model.config.context, len(ids) - 1
    step = max(1, batch_tokens // window) * window
    nats = 0.0
    for start in range(0, targets, step):
        chunk = torch.from_numpy(np.asarray(ids[start : start + step + 1]).astype(np.int64))
        full = (len(chunk) - 1) // window * window
        # The full windows of the chunk are one batch; a shorter window at its end is another.
        for first, last, width in ((0, full, window), (full, len(chunk) - 1, len(chunk) - 1 - full)):
            if last > first:
                windows = chunk[first:last].view(-1, width)  # (B, T)
                following = chunk[first + 1 : last + 1]  # (B*T,)
                nats -= (
                    log_probabilities(model, windows, torch.arange(len(following)), following).sum().item()
                )
    return TextNats(nats, targets, text_bytes)


def held_out_metrics(
    model: LanguageModel,
    texts: Mapping[str, tuple[np.ndarray, int]],
    batch_tokens: int,
    window: int | None = None,
) -> HeldOut:
    """Metrics over all texts {name: (ids, size in bytes)} and, if there are several, of each.

    Texts of fewer than two tokens have nothing to predict and are left out; ValueError if no other text
    remains.
    """
    readable = {name: text for name, text in texts.items() if len(text[0]) > 1} or texts
    nats = {name: text_nats(model, ids, size, batch_tokens, window) for name, (ids, size) in readable.items()}
    whole = sum(nats.values(), TextNats(0, 0, 0)).metrics
    sources = {name: text.metrics for name, text in nats.items()} if len(nats) > 1 else None
    return HeldOut(**vars(whole), sources=sources)
