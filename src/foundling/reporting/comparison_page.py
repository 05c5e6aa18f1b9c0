"""A comparison as one self-contained HTML page."""

from foundling.reporting.comparison import Comparison
from foundling.reporting.comparison_figures import curves, overlay, rows, title_of
from foundling.reporting.comparison_table import number, p_value, with_interval
from foundling.reporting.drawing import as_svg
from foundling.reporting.templates import Download, Drawn, render


def comparison_page(comparison: Comparison, axis: str) -> str:
    """Render the page, with curves along steps or tokens; equal results give equal bytes."""
    names = [name for side in comparison.sides for run in side.runs for name in run.curves]
    figures = []
    for name in dict.fromkeys(names):
        drawn = curves(comparison.sides, name, axis)
        file = f"{name.replace('/', '_')}.csv"
        figures.append(
            Drawn(title_of(name), [as_svg(overlay(drawn, name, axis))], Download(file, rows(drawn, axis)))
        )
    letters = [side.letter for side in comparison.sides]
    return render(
        "compare.html.j2",
        title=f"{', '.join(letters[:-1])} and {letters[-1]} compared"
        if len(letters) > 1
        else "Several seeds",
        comparison=comparison,
        figures=figures,
        number=number,
        with_interval=with_interval,
        p_value=p_value,
    )
