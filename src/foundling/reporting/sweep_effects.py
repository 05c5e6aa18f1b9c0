"""What mattered in a sweep: the results of its jobs by each setting that differs between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from foundling.sweeps.status import JobStatus

MOST_LEVELS = 8  # values of a setting; numbers with more are a scale
WIDE = 10  # a scale of positive numbers whose ends differ by this factor is logarithmic


@dataclass(frozen=True)
class Result:
    """A finished job: its number, the values of the settings that differ, and what it returned."""

    job: int
    values: tuple[str, ...]
    value: float


@dataclass(frozen=True)
class Effect:
    """One setting: the mean result of each of its values, and the share of the variance that it explains."""

    key: str
    values: tuple[str, ...]  # of each result
    results: tuple[float, ...]
    numbers: tuple[float, ...] | None  # the values as numbers; None for words
    is_log: bool
    is_scale: bool  # numbers with many values, which are a curve instead of levels
    explained: float

    @property
    def levels(self) -> list[tuple[str, float, int]]:
        """Each value in order, with the mean of its jobs' results and their number."""
        return [
            (level, fmean(found), len(found))
            for level in ordered(self.values)
            if (found := [r for value, r in zip(self.values, self.results, strict=True) if value == level])
        ]


def finished(rows: Sequence[JobStatus]) -> list[Result]:
    """The jobs that ended with a finite result."""
    found = [
        Result(row.number, row.values, row.record.value)
        for row in rows
        if row.record is not None and row.record.state == "finished" and row.record.value is not None
    ]
    return [one for one in found if np.isfinite(one.value)]


def effects(keys: Sequence[str], results: Sequence[Result]) -> list[Effect]:
    """The settings with at least two values among the results, the most important one first."""
    made = [_effect(key, [one.values[i] for one in results], results) for i, key in enumerate(keys)]
    return sorted((one for one in made if len(set(one.values)) > 1), key=lambda one: -one.explained)


def ordered(values: Sequence[str]) -> list[str]:
    """The different values, numbers by size, words as they come."""
    found = list(dict.fromkeys(values))
    numbers = as_numbers(found)
    return found if numbers is None else [value for _, value in sorted(zip(numbers, found, strict=True))]


def as_numbers(values: Sequence[str]) -> tuple[float, ...] | None:
    """Values as numbers, or None if one of them is a word."""
    try:
        return tuple(map(float, values))
    except ValueError:
        return None


def is_wide(numbers: Sequence[float]) -> bool:
    """Whether numbers belong on a logarithmic scale."""
    return min(numbers) > 0 and max(numbers) / min(numbers) >= WIDE


def _effect(key: str, values: Sequence[str], results: Sequence[Result]) -> Effect:
    numbers, reached = as_numbers(values), tuple(one.value for one in results)
    is_log = numbers is not None and is_wide(numbers)
    is_scale = numbers is not None and len(set(values)) > MOST_LEVELS
    if is_scale and numbers is not None:
        explained = _by_curve(np.log10(numbers) if is_log else np.asarray(numbers), np.asarray(reached))
    else:
        explained = _by_levels(values, np.asarray(reached))
    return Effect(key, tuple(values), reached, numbers, is_log, is_scale, explained)


def _by_levels(values: Sequence[str], reached: np.ndarray) -> float:
    """The share of the variance that lies between the levels: eta squared."""
    total = float(((reached - reached.mean()) ** 2).sum())
    levels = np.asarray(values)
    means = {level: reached[levels == level].mean() for level in set(values)}
    between = sum(float((means[value] - reached.mean()) ** 2) for value in values)
    return between / total if total else 0.0


def _by_curve(x: np.ndarray, reached: np.ndarray) -> float:
    """The share of the variance that a parabola through the results explains."""
    total = float(((reached - reached.mean()) ** 2).sum())
    fitted = np.polynomial.Polynomial.fit(x, reached, 2)(x)
    return max(0.0, 1 - float(((reached - fitted) ** 2).sum()) / total) if total else 0.0
