"""Render the package's HTML templates, with one stylesheet and figures whose numbers can be downloaded."""

import base64
import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from foundling.reporting import kinds
from foundling.reporting.reading import Row
from foundling.reporting.spread import Spread


@dataclass(frozen=True)
class Download:
    """Rows that the reader can save as a CSV file."""

    name: str
    rows: Sequence[Row]

    @property
    def uri(self) -> str:
        """The file's content, as the page has it."""
        text = io.StringIO()
        rows = [_with_bounds(row) for row in self.rows]
        columns = list(dict.fromkeys(name for row in rows for name in row))
        table = csv.DictWriter(text, columns, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
        return f"data:text/csv;base64,{base64.b64encode(text.getvalue().encode()).decode()}"


@dataclass(frozen=True)
class Drawn:
    """A figure on the page: its description, its panels as SVG, and its numbers."""

    title: str
    panels: Sequence[str]
    download: Download


def render(template: str, **values: Any) -> str:
    """Fill in a template; a name that it does not get raises an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("foundling", "reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "percent": percent,
        "css": css,
        "big": big,
        "words": words,
        "kind_rows": kinds.rows,
    }
    environment.tests["spread"] = is_spread
    return environment.get_template(template).render(**values)


def _with_bounds(row: Row) -> dict[str, Any]:
    """The row, with the bounds of its means over seeds in further columns."""
    bounds = {
        f"{name} {bound}": getattr(value, bound)
        for name, value in row.items()
        if isinstance(value, Spread)
        for bound in ("low", "high")
    }
    return {**row, **bounds}


def is_spread(value: Any) -> bool:
    """Whether a number is a mean over seeds, which has an interval."""
    return isinstance(value, Spread)


def percent(share: float | None) -> str:
    """0.4567 -> 45.7 %."""
    return "" if share is None else f"{100 * share:.1f} %"


def css(share: float) -> str:
    """0.4567 -> 45.67%, for a CSS style."""
    return f"{100 * share:.2f}%"


def words(name: str) -> str:
    """arc_easy -> arc easy."""
    return name.replace("_", " ")


def big(count: float) -> str:
    """1234567 -> 1.23 M; counts below 10,000 stay whole."""
    for unit, size, least in (("G", 1e9, 1e9), ("M", 1e6, 1e6), ("k", 1e3, 1e4)):
        if count >= least:
            return f"{count / size:.3g} {unit}"
    return f"{count:,.0f}"
