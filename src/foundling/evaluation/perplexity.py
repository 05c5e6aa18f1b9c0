"""How well a model predicts held-out text: a stream of token ids in, loss, perplexity and bits per byte out."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from foundling.evaluation.likelihood import LanguageModel, log_probabilities


@dataclass(frozen=True)
class HeldOut:
    """What a model paid for a text: `nats` over `tokens` predicted tokens, which stand for `bytes` bytes of UTF-8."""

    nats: float
    tokens: int
    bytes: int

    @property
    def loss(self) -> float:
        """Nats per token, as in training."""
        return self.nats / self.tokens

    @property
    def perplexity(self) -> float:
        """Among how many equally likely tokens the model hesitates, on average."""
        return math.exp(self.loss)

    @property
    def bits_per_byte(self) -> float:
        """Comparable between tokenizers, as loss and perplexity are not."""
        return self.nats / math.log(2) / self.bytes


def held_out(model: LanguageModel, ids: np.ndarray, text_bytes: int, batch_tokens: int) -> HeldOut:
    """Read `ids` (N,), a memory map is fine, in windows of the model's context side by side: N-1 targets, each once.

    The first token of a window is predicted from one token only, so the loss is a little above that of a sliding
    window; training measures it the same way. Fewer than two tokens raise ValueError.
    """
    if len(ids) < 2:
        raise ValueError(
            f"found a held-out text of {len(ids)} tokens; at least 2 are needed; raise corpus.split.validation or add"
            " text"
        )
    context, targets_in_all = model.config.context, len(ids) - 1
    step = max(1, batch_tokens // context) * context
    nats = 0.0
    for start in range(0, targets_in_all, step):
        piece = torch.from_numpy(np.asarray(ids[start : start + step + 1]).astype(np.int64))
        whole = (len(piece) - 1) // context * context
        # The whole windows of the piece go as one batch; the rest of the last one follows alone.
        for begin, end, width in ((0, whole, context), (whole, len(piece) - 1, len(piece) - 1 - whole)):
            if end > begin:
                windows = piece[begin:end].view(-1, width)  # (B, T)
                targets = piece[begin + 1 : end + 1]  # (B*T,)
                nats -= log_probabilities(model, windows, torch.arange(len(targets)), targets).sum().item()
    return HeldOut(nats, targets_in_all, text_bytes)


def together(parts: Iterable[HeldOut]) -> HeldOut:
    """The same over several texts, each token weighing the same."""
    parts = list(parts)
    return HeldOut(sum(p.nats for p in parts), sum(p.tokens for p in parts), sum(p.bytes for p in parts))


def held_out_metrics(
    model: LanguageModel, texts: Mapping[str, tuple[np.ndarray, int]], batch_tokens: int
) -> dict[str, Any]:
    """Metrics of texts (name to ids and bytes of UTF-8) together and, where there are several, one by one.

    A text of fewer than two tokens has nothing to predict and is left out; when that leaves none, ValueError.
    """
    readable = {name: text for name, text in texts.items() if len(text[0]) > 1} or texts
    found = {name: held_out(model, ids, text_bytes, batch_tokens) for name, (ids, text_bytes) in readable.items()}
    metrics = _metrics(together(found.values()))
    return metrics if len(found) == 1 else metrics | {"sources": {name: _metrics(part) for name, part in found.items()}}


def _metrics(paid: HeldOut) -> dict[str, Any]:
    return {
        "val/loss": paid.loss,
        "val/perplexity": paid.perplexity,
        "val/bits_per_byte": paid.bits_per_byte,
        "tokens": paid.tokens,
    }
