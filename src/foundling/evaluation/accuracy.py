"""How often something was right, and how sure that is: outcomes in, accuracy with a 95 % interval out, by kind."""

from collections.abc import Callable, Sequence
from typing import Any

ALL, MEAN_OF_KINDS = "all", "mean_of_kinds"


def accuracy(outcomes: Sequence[bool]) -> dict[str, Any]:
    """Count, share of right ones, and Wilson's 95 % interval, which holds for few outcomes, too."""
    from scipy.stats import binomtest

    interval = binomtest(sum(outcomes), len(outcomes)).proportion_ci(0.95, method="wilson")
    return {
        "n": len(outcomes),
        "accuracy": sum(outcomes) / len(outcomes),
        "low": float(interval.low),
        "high": float(interval.high),
    }


def by_kind(kinds: Sequence[str | None], measure: Callable[[list[int]], dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Measure all items, given by index, then those of each kind, in the order the kinds come; then the kinds' mean.

    An item of kind "binding/where" counts as one of "binding", too; the mean is over whole kinds, not over their parts.
    """
    groups: dict[str, list[int]] = {}
    for index, kind in enumerate(kinds):
        if kind is not None:
            groups.setdefault(kind.split("/")[0], []).append(index)
            if "/" in kind:
                groups.setdefault(kind, []).append(index)
    found = {ALL: measure(list(range(len(kinds))))} | {kind: measure(those) for kind, those in groups.items()}
    whole = [found[kind] for kind in groups if "/" not in kind]
    if len(whole) > 1:
        found[MEAN_OF_KINDS] = mean_of_kinds(whole)
    return found


def mean_of_kinds(groups: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The mean of each value over kinds that weigh the same however many items they have.

    The interval is the normal one for independent strata: the variance of the mean of k shares is sum p(1-p)/n / k².
    """
    mean = {name: sum(group[name] for group in groups) / len(groups) for name in groups[0]}
    variance = sum(g["accuracy"] * (1 - g["accuracy"]) / g["n"] for g in groups) / len(groups) ** 2
    half = 1.96 * variance**0.5
    low, high = max(0.0, mean["accuracy"] - half), min(1.0, mean["accuracy"] + half)
    return mean | {"n": sum(group["n"] for group in groups), "low": low, "high": high}
