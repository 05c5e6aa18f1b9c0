"""Draw what mattered in a sweep: the results by each setting, and all settings as parallel coordinates."""

from collections.abc import Sequence
from math import log10

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from foundling.reporting.drawing import COLOURS, INK, new_figure, plain, style
from foundling.reporting.reading import Row
from foundling.reporting.sweep_effects import Effect, Result, as_numbers, is_wide, ordered

PALETTE = "viridis"
MOST_TICKS = 9  # values written along a coordinate


def main_effect(effect: Effect, objective: str) -> Figure:
    """Each job's result against one setting, and the mean of each of its values."""
    with style():
        figure = new_figure(4.2, 2.9)
        axes = figure.subplots()
        if effect.is_scale and effect.numbers is not None:
            axes.plot(effect.numbers, effect.results, ls="", marker="o", ms=4, color=COLOURS[0], alpha=0.8)
            if effect.is_log:
                axes.set_xscale("log")
        else:
            _draw_levels(axes, effect)
        axes.set(xlabel=plain(effect.key), ylabel=plain(objective))
        axes.set_title(f"{100 * effect.explained:.0f} % of the variance")
        return figure


def _draw_levels(axes: Axes, effect: Effect) -> None:
    places = {level: i for i, level in enumerate(ordered(effect.values))}
    x = [places[value] for value in effect.values]
    axes.plot(x, effect.results, ls="", marker="o", ms=4, color=COLOURS[0], alpha=0.5, label="a job")
    means = [mean for _, mean, _ in effect.levels]
    axes.plot(range(len(means)), means, color=COLOURS[1], marker="_", ms=14, mew=2, lw=1, label="mean")
    axes.set_xticks(range(len(places)), [plain(level) for level in places])
    axes.set_xlim(-0.4, len(places) - 0.6)
    axes.legend()


def effect_rows(effect: Effect) -> list[Row]:
    """The numbers of a main effect."""
    return [
        {effect.key: value, "result": result}
        for value, result in zip(effect.values, effect.results, strict=True)
    ]


def parallel_coordinates(
    keys: Sequence[str], results: Sequence[Result], objective: str, maximizes: bool
) -> Figure:
    """A line for each job through the values of its settings to its result; the best job's is bold."""
    columns = [[one.values[i] for one in results] for i in range(len(keys))]
    scales = [_scale(column) for column in columns]
    reached = [one.value for one in results]
    low, high = min(reached), max(reached)
    heights = [(value - low) / (high - low) if high > low else 0.5 for value in reached]
    best = max(reached) if maximizes else min(reached)
    palette = matplotlib.colormaps[PALETTE]
    with style():
        figure = new_figure(max(6.0, 1.5 * (len(keys) + 1)), 3.6)
        axes = figure.subplots()
        for i, one in enumerate(results):
            y = [scale[column[i]] for scale, column in zip(scales, columns, strict=True)] + [heights[i]]
            colour = palette(heights[i] if maximizes else 1 - heights[i])
            axes.plot(range(len(y)), y, color=colour, lw=3 if one.value == best else 1.1, alpha=0.9)
        _draw_coordinates(axes, scales, low, high)
        axes.set_xticks(range(len(keys) + 1), [plain(key) for key in (*keys, objective)], rotation=12)
        return figure


def _draw_coordinates(axes: Axes, scales: Sequence[dict[str, float]], low: float, high: float) -> None:
    """A vertical line for each coordinate, with its values written along it."""
    ends = {f"{low:.4g}": 0.0, f"{high:.4g}": 1.0}
    for x, scale in enumerate((*scales, ends)):
        axes.axvline(x, color=INK, lw=0.8)
        step = -(-len(scale) // MOST_TICKS)
        for value, y in [*scale.items()][::step]:
            axes.text(x + 0.03, y, plain(_short(value)), va="bottom", ha="left", fontsize=8)
    axes.set(ylim=(-0.05, 1.1), xlim=(-0.1, len(scales) + 0.35))
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.spines["left"].set_visible(False)


def _scale(values: Sequence[str]) -> dict[str, float]:
    """The height of each value between 0 and 1: even steps for few values, by size for many numbers."""
    levels = ordered(values)
    numbers = as_numbers(levels)
    if numbers is None or len(levels) <= MOST_TICKS:
        return {level: i / max(1, len(levels) - 1) for i, level in enumerate(levels)}
    places = [log10(number) for number in numbers] if is_wide(numbers) else numbers
    low, high = places[0], places[-1]
    return {level: (place - low) / (high - low) for level, place in zip(levels, places, strict=True)}


def _short(value: str) -> str:
    """A number to three digits, a word as it is."""
    numbers = as_numbers([value])
    return value if numbers is None or len(value) <= 6 else f"{numbers[0]:.3g}"
