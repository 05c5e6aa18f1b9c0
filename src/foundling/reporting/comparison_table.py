"""A comparison as tables for the terminal."""

from collections.abc import Sequence

from rich.box import SIMPLE
from rich.table import Table

from foundling.reporting.comparison import Comparison, Metric, Side, Test
from foundling.reporting.runs import Measurement

MOST_SETTINGS = 20  # shown on the terminal; the page has all
MOST_CHARACTERS = 40  # of a setting's value
MOST_COLUMNS = 5  # sides; more become rows, with the first settings and metrics
FIRST_SETTINGS, FIRST_METRICS = 4, 2


def tables(comparison: Comparison) -> list[Table]:
    """The sides, the settings that differ, the metrics and the tests."""
    sides = comparison.sides
    if len(sides) > MOST_COLUMNS:
        return [_side_by_row(comparison)]
    made = [_sides(sides)]
    if comparison.settings:
        shown = comparison.settings[:MOST_SETTINGS]
        table = _table("setting that differs", [side.letter for side in sides])
        for setting in shown:
            table.add_row(setting.name, *(shorten(value) for value in setting.values))
        if len(shown) < len(comparison.settings):
            table.caption = f"and {len(comparison.settings) - len(shown)} others, on the page"
        made.append(table)
    made.append(_metrics(sides, comparison.metrics))
    if comparison.item_tests:
        made.append(_tests("same test items", "items", comparison.item_tests))
    if comparison.seed_tests:
        made.append(_tests("over seeds", "seeds", comparison.seed_tests))
    return made


def number(value: float) -> str:
    """Four decimals, or a whole number as it is."""
    return f"{value:,.0f}" if value.is_integer() and abs(value) >= 1000 else f"{value:.4f}"


def with_interval(measured: Measurement | None) -> str:
    """A value with its interval, if there is one and it is not empty."""
    if measured is None:
        return "–"
    if measured.low is None or measured.high is None or measured.low == measured.high:
        return number(measured.value)
    return f"{number(measured.value)} [{number(measured.low)}, {number(measured.high)}]"


def shorten(value: object) -> str:
    """A setting's value in a few characters."""
    text = "–" if value is None else str(value)
    return text if len(text) <= MOST_CHARACTERS else f"{text[: MOST_CHARACTERS - 1]}…"


def p_value(p: float) -> str:
    """A p-value with three decimals."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _sides(sides: Sequence[Side]) -> Table:
    table = _table("", ["runs", "commit", "seed"], numbers=False)
    for side in sides:
        table.add_row(side.letter, side.name, side.runs[0].commit[:7], side.seeds)
    return table


def _side_by_row(comparison: Comparison) -> Table:
    """A row for each side: its settings that differ, and the first metrics; the page has the others."""
    settings, metrics = comparison.settings[:FIRST_SETTINGS], comparison.metrics[:FIRST_METRICS]
    folder = _shared_folder([side.name for side in comparison.sides])
    names = [*_last_parts([one.name for one in settings]), *_last_parts([one.name for one in metrics])]
    table = _table("", ["runs", "seed", *names])
    for i, side in enumerate(comparison.sides):
        values = [shorten(setting.values[i]) for setting in settings]
        measured = [with_interval(metric.sides[i]) for metric in metrics]
        name = side.name.removeprefix(folder)
        table.add_row(side.letter, name, side.seeds, *values, *measured)
    table.caption = f"runs in {folder}" if folder else None
    return table


def _last_parts(names: Sequence[str]) -> list[str]:
    """The names without their sections, if they still differ."""
    short = [name.rpartition(".")[2] for name in names]
    return short if len(set(short)) == len(short) else list(names)


def _shared_folder(names: Sequence[str]) -> str:
    """The folder that contains all names, with a slash, or an empty string."""
    folders = {name.rpartition("/")[0] for name in names}
    return f"{folders.pop()}/" if len(folders) == 1 and "" not in folders else ""


def _metrics(sides: Sequence[Side], metrics: Sequence[Metric]) -> Table:
    """A row for each metric; with a single side also the value of each seed."""
    single = len(sides) == 1 and len(sides[0].runs) > 1
    table = _table("metric", [side.letter for side in sides] + (["each seed"] if single else []))
    for metric in metrics:
        values = [" ".join(map(number, metric.values[0]))] if single else []
        table.add_row(metric.name, *map(with_interval, metric.sides), *values)
    return table


def _tests(title: str, unit: str, tests: Sequence[Test]) -> Table:
    table = _table(title, ["side", unit, "difference from A [95 %]", "p (Holm)", ""])
    for test in tests:
        interval = Measurement(test.result.difference, test.result.low, test.result.high)
        table.add_row(test.name, test.side, test.n, with_interval(interval), p_value(test.p), test.verdict)
    methods = dict.fromkeys(test.result.method for test in tests)
    table.caption = f"{', '.join(methods)}; p is adjusted for {len(tests)} tests"
    return table


def _table(first: str, columns: Sequence[str], numbers: bool = True) -> Table:
    table = Table(first, *columns, box=SIMPLE, caption_justify="left")
    table.columns[0].overflow = "fold"
    for column in table.columns[1:]:
        column.justify = "right" if numbers else "left"
        column.no_wrap = numbers
    return table
