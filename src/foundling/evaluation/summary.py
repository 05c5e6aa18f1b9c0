"""The metrics of an evaluation as a table for the terminal."""

from rich.table import Table

from foundling.metrics.evaluate import Evaluate

HEADER = ("benchmark", "kind", "questions", "accuracy", "95 %", "chance", "first", "last", "control")


def summary(metrics: Evaluate) -> Table:
    """A row for each benchmark and kind; the held-out loss is in the caption."""
    loss, bits = metrics.held_out.val_loss, metrics.held_out.val_bits_per_byte
    caption = f"held out: loss {loss:.4f}, {bits:.4f} bits per byte"
    for scores in metrics.benchmarks.values():
        if scores.few_shot is not None:
            shown = scores.few_shot["all"]
            caption += f"\nwith worked examples: {shown.accuracy:.1%} of {shown.n:,} questions, "
            caption += f"without: {shown.without:.1%}"
    table = Table(*HEADER, caption=caption)
    for column in table.columns[2:]:
        column.justify = "right"
    for name, scores in metrics.benchmarks.items():
        for kind, row in scores.kinds.items():
            rules = map(_percent, (row.chance, row.first_mentioned, row.last_mentioned, row.control))
            interval = f"{row.low:.1%} – {row.high:.1%}"
            table.add_row(name, kind, f"{row.n:,}", _percent(row.accuracy), interval, *rules)
    return table


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"
