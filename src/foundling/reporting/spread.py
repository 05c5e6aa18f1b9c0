"""Merge the results of several seeds into one: means, with Student's 95 % intervals over the seeds."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

from foundling.reporting.reading import Row
from foundling.reporting.statistics import t_interval

T = TypeVar("T")
# the number that an interval `low` to `high` next to it is of
SHARE = "accuracy"
VALUES = (SHARE, "mean", "score", "difference")


class Spread(float):
    """A mean over seeds, with its interval."""

    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """The mean of at least two values."""
        mean, low, high = t_interval(values)
        made = cls(mean)
        made.low, made.high = low, high
        return made


def value_with_bounds(names: Iterable[str]) -> str | None:
    """Which of the names has its interval next to it, if any."""
    present = set(names)
    return next((name for name in VALUES if {name, "low", "high"} <= present), None)


def merge(values: Sequence[T]) -> T:
    """Equal structures (schemas of metrics, mappings, numbers) as one; what is no number is the first one's.

    An interval over test items is replaced by that over the seeds. Counts are rounded.
    """
    first: Any = values[0]
    if is_dataclass(first) and not isinstance(first, type):
        merged: Any = copy.copy(first)
        for name, value in _merge_fields([_fields(one) for one in values]).items():
            object.__setattr__(merged, name, value)  # not validated again: a mean of counts is no count
        return merged
    if isinstance(first, Mapping):
        return _merge_fields(values)  # type: ignore[arg-type, return-value]
    if isinstance(first, tuple) and all(len(one) == len(first) for one in values):  # type: ignore[arg-type]
        return tuple(map(merge, zip(*values, strict=True)))  # type: ignore[arg-type, return-value]
    if type(first) not in (int, float) or any(type(one) not in (int, float) for one in values):
        return values[0]
    if len(set(values)) == 1:
        return values[0]
    numbers: Any = values
    mean: Any = round(sum(numbers) / len(numbers)) if isinstance(first, int) else Spread.of(numbers)
    return mean


def merge_rows(tables: Sequence[Sequence[Row]], keys: Sequence[str]) -> list[Row]:
    """The rows that all tables have, found by `keys`, with the other numbers merged."""
    by_key = [{tuple(row[key] for key in keys): row for row in table} for table in tables]
    shared = [key for key in by_key[0] if all(key in table for table in by_key)]
    return [merge([table[key] for table in by_key]) for key in shared]


def _fields(instance: Any) -> dict[str, Any]:
    return {field.name: getattr(instance, field.name) for field in fields(instance)}


def _merge_fields(values: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    names = [name for name in values[0] if all(name in one for one in values)]
    merged = {name: merge([one[name] for one in values]) for name in names}
    name = value_with_bounds(names)
    if name and isinstance(merged[name], Spread):
        low, high = merged[name].low, merged[name].high
        merged |= (
            {"low": max(0.0, low), "high": min(1.0, high)} if name == SHARE else {"low": low, "high": high}
        )
        merged[name] = float(merged[name])  # shown with `low` and `high`
    return merged
