"""The outcome of each benchmark item, which tests of paired differences need: plots/benchmark_answers.csv."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foundling.artifacts import fingerprint, write_csv
from foundling.metrics.evaluate import BenchmarkScores

COLUMNS = ("benchmark", "item", "kind", "right")


@dataclass(frozen=True)
class Item:
    """One question or pair: a hash of its texts, by which runs are compared item by item, and its kind."""

    name: str
    kind: str | None


@dataclass(frozen=True)
class Scored:
    """A model's scores on a benchmark, and whether it was right, item by item."""

    scores: BenchmarkScores
    items: Sequence[Item]
    right: Sequence[bool]


def item(kind: str | None, *texts: Any) -> Item:
    """The item that consists of these texts."""
    return Item(fingerprint(texts)[:12], kind)


def write_items(path: Path, results: Mapping[str, Scored]) -> None:
    """Write a row for each item of each benchmark: 1 if the model was right, else 0."""
    rows = [
        (name, one.name, one.kind or "", int(right))
        for name, result in results.items()
        for one, right in zip(result.items, result.right, strict=True)
    ]
    write_csv(path, COLUMNS, rows)
