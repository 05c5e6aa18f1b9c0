"""Accuracy with a 95 % interval, over all outcomes and by kind."""

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import TypeVar

from foundling.metrics.accuracy import Accuracy

ALL, MEAN_OF_KINDS = "all", "mean_of_kinds"
A = TypeVar("A", bound=Accuracy)


def accuracy(outcomes: Sequence[bool]) -> Accuracy:
    """The fraction of correct outcomes with Wilson's 95 % interval, which suits few outcomes too."""
    from scipy.stats import binomtest

    interval = binomtest(sum(outcomes), len(outcomes)).proportion_ci(0.95, method="wilson")
    return Accuracy(
        n=len(outcomes),
        accuracy=sum(outcomes) / len(outcomes),
        low=float(interval.low),
        high=float(interval.high),
    )


def by_kind(kinds: Sequence[str | None], measure: Callable[[list[int]], A]) -> dict[str, A]:
    """Measure all items (given as indices), each kind in order of appearance, and the mean of the kinds.

    An item of kind "binding/where" also counts as one of "binding"; the mean is over kinds, not subkinds.
    """
    groups: dict[str, list[int]] = {}
    for index, kind in enumerate(kinds):
        if kind is not None:
            groups.setdefault(kind.split("/")[0], []).append(index)
            if "/" in kind:
                groups.setdefault(kind, []).append(index)
    measured = {ALL: measure(list(range(len(kinds))))} | {
        kind: measure(items) for kind, items in groups.items()
    }
    whole = [measured[kind] for kind in groups if "/" not in kind]
    if len(whole) > 1:
        measured[MEAN_OF_KINDS] = mean_of_kinds(whole)
    return measured


def mean_of_kinds(kinds: Sequence[A]) -> A:
    """The mean of each field over kinds, all weighted equally, however many items they have.

    The interval is the normal one for independent strata: the variance of the mean of k accuracies p is
    sum p(1-p)/n / k².
    """
    means = {
        field.name: sum(getattr(kind, field.name) for kind in kinds) / len(kinds)
        for field in fields(kinds[0])
        if getattr(kinds[0], field.name) is not None
    }
    variance = sum(kind.accuracy * (1 - kind.accuracy) / kind.n for kind in kinds) / len(kinds) ** 2
    half = 1.96 * variance**0.5
    interval = {"low": max(0.0, means["accuracy"] - half), "high": min(1.0, means["accuracy"] + half)}
    return replace(kinds[0], **{**means, "n": sum(kind.n for kind in kinds), **interval})
