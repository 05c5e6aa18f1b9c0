"""Curves of several runs over each other; a side with several seeds is its mean with a 95 % band."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

import numpy as np
from matplotlib.figure import Figure

from foundling.reporting.comparison import Side
from foundling.reporting.drawing import (
    COLOURS,
    count_axis,
    draw_band,
    new_figure,
    percent_formatter,
    plain,
    style,
)
from foundling.reporting.reading import Row
from foundling.reporting.runs import Point
from foundling.reporting.statistics import t_interval

AXES = {"step": (0, "steps"), "tokens": (1, "training tokens")}  # the coordinate of a Point, and the label
DASHES: tuple[str | tuple[int, tuple[int, ...]], ...] = ("-", (0, (5, 2)), (0, (1, 1)), (0, (5, 2, 1, 2)))
LONG = 40  # points; curves with fewer have markers
EVEN = 200  # points at which seeds with different steps are interpolated
SHARES = ("accuracy", "emergence.")  # of curves whose values are shares
TITLES = {
    "pretrain.train/loss": "pretraining: training loss",
    "validation.val/loss": "pretraining: validation loss",
    "validation.val/bits_per_byte": "pretraining: bits per byte of held-out text",
    "classify.train/loss": "classification: training loss",
    "classify_validation.val/loss": "classification: validation loss",
    "classify_validation.val/accuracy": "classification: validation accuracy",
    "instruct.train/loss": "instruction tuning: training loss",
    "instruct_validation.val/loss": "instruction tuning: validation loss",
    "train_translator.train/loss": "translation: training loss",
    "train_translator_validation.val/loss": "translation: validation loss",
    "train_translator_validation.val/bleu": "translation: BLEU of greedy validation translations",
}


@dataclass(frozen=True)
class Curve:
    """One side's values along the axis, with the interval over its seeds if it has several."""

    side: str
    x: Sequence[float]
    mean: Sequence[float]
    low: Sequence[float] | None
    high: Sequence[float] | None


def curves(sides: Sequence[Side], name: str, axis: str) -> list[Curve]:
    """The curve of each side that has it; seeds with different steps are interpolated where they overlap."""
    made = []
    for side in sides:
        found = [run.curves[name] for run in side.runs if name in run.curves]
        if found:
            made.append(_mean_curve(side.letter, found, AXES[axis][0]))
    return made


def _mean_curve(letter: str, runs: Sequence[Sequence[Point]], place: int) -> Curve:
    xs = [[point[place] for point in points] for points in runs]
    values = [[point[2] for point in points] for points in runs]
    if len(runs) == 1:
        return Curve(letter, xs[0], values[0], None, None)
    shared: Sequence[float] = xs[0]
    if any(x != shared for x in xs):
        start, end = max(x[0] for x in xs), min(x[-1] for x in xs)
        shared = np.linspace(start, max(start, end), EVEN).tolist()
        values = [np.interp(shared, x, y).tolist() for x, y in zip(xs, values, strict=True)]
    intervals = [t_interval(at) for at in zip(*values, strict=True)]
    mean, low, high = ([interval[i] for interval in intervals] for i in range(3))
    return Curve(letter, shared, mean, low, high)


def rows(drawn: Sequence[Curve], axis: str) -> list[Row]:
    """The numbers of a figure."""
    table: list[Row] = []
    for curve in drawn:
        bounds = zip(curve.low or curve.mean, curve.high or curve.mean, strict=True)
        for x, mean, (low, high) in zip(curve.x, curve.mean, bounds, strict=True):
            table.append({"side": curve.side, axis: x, "mean": mean, "low": low, "high": high})
    return table


def title_of(name: str) -> str:
    """A curve's title."""
    return TITLES.get(name) or f"{plain(name.removeprefix('emergence.'))}: accuracy of the snapshots"


def overlay(drawn: Sequence[Curve], name: str, axis: str) -> Figure:
    """The curves of all sides in one figure."""
    with style():
        figure = new_figure(5.4, 3.1)
        axes = figure.subplots()
        for curve, colour, dash in zip(drawn, cycle(COLOURS), cycle(DASHES), strict=False):
            marker = "o" if len(curve.x) < LONG else None
            axes.plot(
                curve.x, curve.mean, color=colour, ls=dash, lw=1.3, marker=marker, ms=3, label=curve.side
            )
            if curve.low is not None and curve.high is not None:
                draw_band(axes, curve.x, curve.low, curve.high, colour)
        axes.set(xlabel=AXES[axis][1], title=title_of(name))
        count_axis(axes)
        if name.startswith(SHARES) or name.endswith(SHARES):
            axes.yaxis.set_major_formatter(percent_formatter())
        axes.legend()
        return figure
