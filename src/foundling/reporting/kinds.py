"""The kinds of a benchmark as rows of a table: `all`, kinds with their subkinds, the mean of the kinds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from foundling.metrics.accuracy import Accuracy

ALL, MEAN = "all", "mean_of_kinds"
PART = "/"  # "binding/where" is a part of "binding"


@dataclass(frozen=True)
class Kind:
    """A row: a kind's name, title and scores, and the row's style."""

    name: str
    title: str
    scores: Accuracy
    style: str  # the row's class: sum, part, or none


def in_order(names: Iterable[str]) -> list[str]:
    """`all` first, kinds in alphabetical order with their subkinds below them, the mean of the kinds last."""
    return sorted(names, key=lambda name: (name != ALL, name == MEAN, name.split(PART)))


def rows(kinds: Mapping[str, Accuracy]) -> list[Kind]:
    """A row for each kind; the title of a subkind below its kind is only the last part of its name."""
    made = []
    for name in in_order(kinds):
        whole, _, part = name.partition(PART)
        below = bool(part) and whole in kinds
        style = "sum" if name in (ALL, MEAN) else "part" if below else ""
        made.append(Kind(name, (part if below else name).replace("_", " "), kinds[name], style))
    return made
