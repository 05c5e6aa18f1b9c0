"""The emergence curve: one benchmark result of one snapshot in, its rows of plots/emergence.csv out."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from foundling.artifacts import atomic_file

COLUMNS = ("step", "tokens", "val/loss", "benchmark", "kind", "n", "accuracy", "low", "high", "chance")


def curve_rows(snapshot: Mapping[str, Any], benchmark: str, result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row for each kind: how well the model of this step does what it was never trained on."""
    place = {"step": snapshot["step"], "tokens": snapshot["tokens"], "val/loss": snapshot["val_loss"]}
    return [
        place | {"benchmark": benchmark, "kind": kind} | {c: found[c] for c in COLUMNS[5:]}
        for kind, found in result["kinds"].items()
    ]


def write_curve(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write the rows as CSV, in the order given."""
    with atomic_file(path) as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
