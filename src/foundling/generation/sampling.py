"""Sampling a token from logits: temperature, top-k, top-p, or greedy. Shapes: B sequences, V vocabulary."""

import torch
from torch import Tensor

from foundling.settings.training import Sampling as Sampling

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
