"""Intervals and tests for comparing runs, by scipy: over the same test items, and over seeds."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000  # of the bootstrap over items, and of the permutation test
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Difference:
    """The mean of the second minus that of the first, its 95 % interval, and the p-value of no difference."""

    difference: float
    low: float
    high: float
    p: float
    method: str


def t_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """The mean, and the bounds of its 95 % interval by Student's t (1908), of at least two values."""
    from scipy.stats import sem, t

    mean = float(np.mean(values))
    half = float(t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * sem(values))
    return mean, mean - half, mean + half


def by_items(first: np.ndarray, second: np.ndarray) -> Difference:
    """Outcomes of the same items (items,), each the share of a side's seeds that were right.

    For one seed each, the p-value is McNemar's exact test (1947), else that of a permutation test which swaps
    the sides of single items. The interval is a bootstrap over items.
    """
    from scipy.stats import binomtest, permutation_test

    gaps = second - first
    if np.isin(first, (0, 1)).all() and np.isin(second, (0, 1)).all():
        wins, losses = int((gaps > 0).sum()), int((gaps < 0).sum())
        p = float(binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0
        return Difference(float(gaps.mean()), *_bootstrap(gaps), p, "McNemar's exact test")
    result = permutation_test(
        (first, second),
        lambda a, b, axis: np.mean(b - a, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=200,
        rng=np.random.default_rng(0),
    )
    return Difference(float(gaps.mean()), *_bootstrap(gaps), float(result.pvalue), "paired permutation test")


def _bootstrap(gaps: np.ndarray) -> tuple[float, float]:
    """The 95 % bootstrap interval (Efron 1979) of the mean, which is empty if all are equal."""
    from scipy.stats import bootstrap

    if np.ptp(gaps) == 0:
        return float(gaps[0]), float(gaps[0])
    result = bootstrap(
        (gaps,),
        np.mean,
        n_resamples=RESAMPLES,
        batch=200,
        method="percentile",
        confidence_level=CONFIDENCE,
        rng=np.random.default_rng(0),
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)


def by_seeds(first: Sequence[float], second: Sequence[float], paired: bool) -> Difference:
    """A metric over at least two seeds of each side: a paired t-test for equal seeds, else Welch's (1947)."""
    from scipy.stats import ttest_ind, ttest_rel

    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    method = "paired t-test" if paired else "Welch's t-test"
    difference = float(b.mean() - a.mean())
    if (np.ptp(b - a) if paired else np.ptp(a) + np.ptp(b)) == 0:  # no variation: t is not defined
        return Difference(difference, difference, difference, float(difference == 0), method)
    with _without_warnings():
        result = ttest_rel(b, a) if paired else ttest_ind(b, a, equal_var=False)
        interval = result.confidence_interval(CONFIDENCE)
    return Difference(difference, float(interval.low), float(interval.high), float(result.pvalue), method)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted for being several, by Holm's method (1979)."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = highest
    return adjusted


@contextmanager
def _without_warnings() -> Iterator[None]:
    """scipy warns of a loss of precision if values are nearly equal, which a p-value near 0 shows anyway."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        yield
