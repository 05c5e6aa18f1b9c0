"""The sampling schedule: each source's share of the training tokens, by its weight and `first`."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np


def shares_at(progress: float, weights: Sequence[float], firsts: Sequence[float]) -> np.ndarray:
    """Each source's share of the batch after a fraction `progress` (0 to below 1) of the steps.

    While progress < first for some sources, only they are sampled (a curriculum: Bengio et al. 2009).
    """
    leading = np.array([progress < first for first in firsts])
    drawn = np.array(weights, dtype=np.float64) * (leading if leading.any() else 1.0)
    return drawn / drawn.sum()


def shares_of_all(weights: Sequence[float], firsts: Sequence[float]) -> list[float]:
    """Each source's share of the whole training."""
    stretches = pairwise(sorted({0.0, 1.0, *firsts}))
    drawn: list[float] = np.sum(
        [(end - begin) * shares_at(begin, weights, firsts) for begin, end in stretches], axis=0
    ).tolist()
    return drawn
