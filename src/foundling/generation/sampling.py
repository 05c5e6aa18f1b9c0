"""Sampling a token from logits: temperature, top-k, top-p, or greedy. Shapes: B sequences, V vocabulary."""

from typing import Self

import torch
from torch import Tensor

from foundling.settings.generation import Sampling as Sampling

GREEDY = Sampling(temperature=0.0, top_k=None, top_p=None)


def sample(logits: Tensor, sampling: Sampling, generator: torch.Generator | None = None) -> Tensor:
    """Sample one token for each row of logits (B, V); returns ids (B,)."""
    if sampling.temperature == 0:
        return logits.argmax(dim=-1)
    return torch.multinomial(distribution(logits, sampling), 1, generator=generator).squeeze(1)


def distribution(logits: Tensor, sampling: Sampling) -> Tensor:
    """The probabilities (B, V) to sample from: logits after temperature, top-k and top-p.

    top_k keeps the k most likely tokens (Fan et al. 2018); top_p keeps the smallest set of most likely tokens
    whose probabilities sum to at least p (Holtzman et al. 2020).
    """
    logits = logits.float() / sampling.temperature
    if sampling.top_k is not None and sampling.top_k < logits.size(-1):
        kth = logits.topk(sampling.top_k, dim=-1).values[:, -1:]  # (B, 1)
        logits = logits.masked_fill(logits < kth, float("-inf"))
    if sampling.top_p is not None and sampling.top_p < 1:
        ordered, order = logits.softmax(dim=-1).sort(dim=-1, descending=True)  # (B, V) each
        before = ordered.cumsum(dim=-1) - ordered  # total probability of the more likely tokens
        removed = torch.zeros_like(ordered, dtype=torch.bool).scatter(1, order, before >= sampling.top_p)
        logits = logits.masked_fill(removed, float("-inf"))
    return logits.softmax(dim=-1)


class RepetitionGuard:
    """Which tokens an answer must not continue with, so that it does not repeat itself endlessly.

    No n-gram is written twice, n = `no_repeat_ngram_size` (Paulus et al. 2018, section 2.5). Unlike the
    setting of this name in transformers, it ignores the prompt: an answer may copy from it.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._last: tuple[int, ...] = ()  # the last size - 1 tokens
        self._followers: dict[tuple[int, ...], list[int]] = {}  # what followed each size - 1 tokens

    @classmethod
    def of(cls, sampling: Sampling) -> Self | None:
        """The guard of these settings; None: none."""
        size = sampling.no_repeat_ngram_size
        return None if size is None else cls(size)

    def append(self, token: int) -> None:
        """Note a written token."""
        if len(self._last) == self.size - 1:
            self._followers.setdefault(self._last, []).append(token)
        self._last = (*self._last, token)[-(self.size - 1) :]

    def banned(self) -> list[int]:
        """The tokens that would complete an n-gram that was written before."""
        return self._followers.get(self._last, [])

    def apply(self, logits: Tensor) -> Tensor:
        """Logits (1, V), -inf where a token is banned."""
        banned = torch.tensor(self.banned(), dtype=torch.long, device=logits.device)
        return logits.index_fill(1, banned, float("-inf"))
