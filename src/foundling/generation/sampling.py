"""Logits to one token: temperature, top-k, top-p, or the likeliest. Shapes: B sequences, V vocabulary."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn; temperature 0 takes the likeliest, None switches a cut off."""

    temperature: float
    top_k: int | None
    top_p: float | None

    def __post_init__(self) -> None:
        if self.temperature < 0:
            raise ValueError(
                f"temperature={self.temperature} is not allowed; 0 takes the likeliest token, 1 draws as trained"
            )
        if self.top_k is not None and self.top_k < 1:
            raise ValueError(f"top_k={self.top_k} is not allowed; keep at least 1 token, or null for all")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ValueError(f"top_p={self.top_p} is not allowed; it must be above 0 and at most 1, or null for all")


GREEDY = Sampling(temperature=0.0, top_k=None, top_p=None)


def sample(logits: Tensor, sampling: Sampling, random: torch.Generator | None = None) -> Tensor:
    """Draw one token for each row of logits (B, V): (B,) ids."""
    if sampling.temperature == 0:
        return logits.argmax(dim=-1)
    return torch.multinomial(distribution(logits, sampling), 1, generator=random).squeeze(1)


def distribution(logits: Tensor, sampling: Sampling) -> Tensor:
    """The probabilities (B, V) that a token is drawn with, after temperature and both cuts.

    top_k keeps the k likeliest (Fan et al. 2018), top_p the fewest that hold that much (Holtzman et al. 2020).
    """
    logits = logits.float() / sampling.temperature
    if sampling.top_k is not None and sampling.top_k < logits.size(-1):
        kth = logits.topk(sampling.top_k, dim=-1).values[:, -1:]  # (B, 1)
        logits = logits.masked_fill(logits < kth, float("-inf"))
    if sampling.top_p is not None and sampling.top_p < 1:
        ordered, order = logits.softmax(dim=-1).sort(dim=-1, descending=True)  # (B, V) each
        before = ordered.cumsum(dim=-1) - ordered  # probability of the likelier ones: a token stays if it is below p
        cut = torch.zeros_like(ordered, dtype=torch.bool).scatter(1, order, before >= sampling.top_p)
        logits = logits.masked_fill(cut, float("-inf"))
    return logits.softmax(dim=-1)
