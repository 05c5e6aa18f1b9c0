"""The metrics of an evaluation as a table for the terminal."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table


def summary(metrics: Mapping[str, Any]) -> Table:
    """One row for each benchmark and kind; the held-out loss stands in the caption."""
    held_out = metrics["held_out"]
    caption = f"held out: loss {held_out['val/loss']:.4f}, {held_out['val/bits_per_byte']:.4f} bits per byte"
    table = Table(
        "benchmark", "kind", "questions", "accuracy", "95 %", "chance", "first", "last", "control", caption=caption
    )
    for column in table.columns[2:]:
        column.justify = "right"
    for name, result in metrics["benchmarks"].items():
        for kind, found in result["kinds"].items():
            rules = (_percent(found.get(rule)) for rule in ("chance", "first_mentioned", "last_mentioned", "control"))
            interval = f"{_percent(found['low'])} – {_percent(found['high'])}"
            table.add_row(name, kind, f"{found['n']:,}", _percent(found["accuracy"]), interval, *rules)
    return table


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"
