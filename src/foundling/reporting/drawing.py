"""The style of all figures, and figures as SVG in the page's colours or as PNG, always as the same bytes."""

import io
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, PercentFormatter

from foundling.reporting.reading import Row
from foundling.reporting.spread import Spread

INK = "#24292f"  # on the PNG's white; in the SVG replaced by the page's text colour
# after Okabe and Ito (2008)
COLOURS = ("#1f86c7", "#d55e00", "#009e73", "#cc79a7", "#b58900", "#56b4e9", "#7f7f7f")
BAND = 0.16  # opacity of an interval
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # keep text as text
    "svg.hashsalt": "foundling",  # the same ids in each run
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.2,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    **{f"{part}.color": INK for part in ("text", "xtick", "ytick", "grid")},
    **{f"axes.{part}": INK for part in ("edgecolor", "labelcolor")},
}


def style() -> AbstractContextManager[None]:
    """Draw in the project's style within this context."""
    return matplotlib.rc_context(STYLE)


def new_figure(width: float, height: float) -> Figure:
    """A figure (sizes in inches) without pyplot, which would keep it in memory and need a display."""
    return Figure(figsize=(width, height), layout="constrained")


def draw_band(
    axes: Axes, x: Sequence[float], low: Sequence[float], high: Sequence[float], colour: str
) -> None:
    """Fill the interval from `low` to `high` along a curve."""
    axes.fill_between(x, low, high, color=colour, alpha=BAND, lw=0)


def draw_spread(axes: Axes, x: Sequence[float], values: Sequence[float], colour: str) -> None:
    """Fill the interval over seeds, where the values are means over several."""
    if any(isinstance(value, Spread) for value in values):
        low, high = ([getattr(value, bound, value) for value in values] for bound in ("low", "high"))
        draw_band(axes, x, low, high, colour)


def count_axis(axes: Axes) -> None:
    """Write the numbers on the horizontal axis as 200k, 1M."""
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))


def percent_formatter() -> PercentFormatter:
    """Write shares as percentages."""
    return PercentFormatter(1.0, decimals=0)


def column(rows: Sequence[Row], name: str) -> list[float]:
    """One column of the rows."""
    return [row[name] for row in rows]


def plain(name: str) -> str:
    """A name for a figure, without underscores; a dollar sign is escaped, as it would start a formula."""
    return name.replace("_", " ").replace("$", r"\$")


def as_svg(figure: Figure) -> str:
    """The figure as an SVG element for a page: no prolog, no date, text in the page's colour."""
    file = io.StringIO()
    with style():
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = file.getvalue()
    return text[text.index("<svg") :].replace(INK, "currentColor").strip()


def as_png(figure: Figure) -> bytes:
    """The figure as a PNG on white, for a README."""
    file = io.BytesIO()
    with style():
        figure.savefig(file, format="png", dpi=160, facecolor="white", metadata={"Software": None})
    return file.getvalue()
