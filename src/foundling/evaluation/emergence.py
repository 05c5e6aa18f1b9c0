"""The emergence curve: accuracies of the snapshots of a pretraining, as rows of plots/emergence.csv."""

import csv
from collections.abc import Iterable
from pathlib import Path

from foundling.artifacts import atomic_file
from foundling.metrics import to_plain
from foundling.metrics.evaluate import BenchmarkScores, EmergencePoint, Snapshot

SCORES = ("n", "accuracy", "low", "high", "chance")
COLUMNS = ("step", "tokens", "val/loss", "benchmark", "kind", *SCORES)


def curve_points(snapshot: Snapshot, loss: float, benchmark: str, scores: BenchmarkScores) -> list[EmergencePoint]:
    """A point for each kind of question."""
    return [
        EmergencePoint(
            step=snapshot.step,
            tokens=snapshot.tokens,
            val_loss=loss,
            benchmark=benchmark,
            kind=kind,
            **{name: getattr(accuracy, name) for name in SCORES},
        )
        for kind, accuracy in scores.kinds.items()
    ]


def write_curve(path: Path, points: Iterable[EmergencePoint]) -> None:
    """Write the points as CSV, in this order."""
    with atomic_file(path) as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(map(to_plain, points))
