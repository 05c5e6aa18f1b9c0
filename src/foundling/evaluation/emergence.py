"""The emergence curve: accuracies of the snapshots of a pretraining, as rows of plots/emergence.csv."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from foundling.artifacts import atomic_file
from foundling.metrics.evaluate import BenchmarkScores

SCORES = ("n", "accuracy", "low", "high", "chance")
COLUMNS = ("step", "tokens", "val/loss", "benchmark", "kind", *SCORES)


def curve_rows(step: int, tokens: int, loss: float, benchmark: str, scores: BenchmarkScores) -> list[dict[str, Any]]:
    """A row for each kind of question, for the snapshot at this step."""
    snapshot = {"step": step, "tokens": tokens, "val/loss": loss, "benchmark": benchmark}
    return [
        snapshot | {"kind": kind} | {name: getattr(accuracy, name) for name in SCORES}
        for kind, accuracy in scores.kinds.items()
    ]


def write_curve(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write the rows as CSV."""
    with atomic_file(path) as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
