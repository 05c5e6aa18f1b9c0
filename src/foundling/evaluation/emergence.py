"""The emergence curve: accuracies of the snapshots of a pretraining, as rows of plots/emergence.csv."""

from collections.abc import Iterable
from pathlib import Path

from foundling.artifacts import write_csv
from foundling.metrics import to_plain
from foundling.metrics.evaluate import BenchmarkScores, EmergencePoint, Snapshot

SCORES = ("n", "accuracy", "low", "high", "chance")
COLUMNS = ("step", "tokens", "val/loss", "benchmark", "kind", *SCORES)


def curve_points(
    snapshot: Snapshot, loss: float, benchmark: str, scores: BenchmarkScores
) -> list[EmergencePoint]:
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
    rows = map(to_plain, points)
    write_csv(path, COLUMNS, ([row[column] for column in COLUMNS] for row in rows))
