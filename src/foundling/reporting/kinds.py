"""The kinds of a benchmark as rows of a table: `all`, each kind followed by its subkinds, the mean of the kinds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

ALL, MEAN = "all", "mean_of_kinds"
PART = "/"  # "binding/where" is a part of "binding"


@dataclass(frozen=True)
class Kind:
    """A row: a kind's title, what was measured on it, and how it is set."""

    title: str
    found: Mapping[str, Any]
    style: str  # the row's class: sum, part, or none


def in_order(names: Iterable[str]) -> list[str]:
    """`all` first, kinds in alphabetical order with their subkinds below them, the mean of the kinds last."""
    return sorted(names, key=lambda name: (name != ALL, name == MEAN, name.split(PART)))


def rows(kinds: Mapping[str, Mapping[str, Any]]) -> list[Kind]:
    """A row for each kind; a part that follows its whole is titled by its own name alone."""
    made = []
    for name in in_order(kinds):
        whole, _, part = name.partition(PART)
        below = bool(part) and whole in kinds
        style = "sum" if name in (ALL, MEAN) else "part" if below else ""
        made.append(Kind((part if below else name).replace("_", " "), kinds[name], style))
    return made


def before_and_after(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row for each benchmark that was measured before and after fine-tuning."""
    benchmarks = before["benchmarks"]
    return [{"name": n, "before": benchmarks[n], "after": after["benchmarks"][n]} for n in benchmarks]
