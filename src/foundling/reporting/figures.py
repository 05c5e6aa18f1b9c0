"""Plot rows of plots/*.csv; equal rows give equal figures."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import accumulate, cycle
from math import ceil

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from foundling.reporting.drawing import (
    COLOURS,
    INK,
    column,
    count_axis,
    draw_band,
    draw_spread,
    new_figure,
    percent_formatter,
    plain,
    style,
)
from foundling.reporting.kinds import ALL, MEAN, PART, in_order
from foundling.reporting.reading import Row

LOSS_TICKS = (0.3, 0.5, 0.7, 1, 1.5, 2, 3, 4, 5, 7, 10)
LEVEL_CHARACTERS = 9  # labels up to this average length are horizontal
FEW_LABELS = 12  # up to this number of labels, their names and counts are shown
MOST_KINDS = 14  # curves in one plot; of more kinds, only `all` and the mean are drawn
LEGEND_COLUMNS = 6  # that fit below the two panels of the emergence curve


def loss_curves(
    training: Sequence[Row], validation: Sequence[Row], phases: Sequence[tuple[float, str]] = ()
) -> Figure:
    """Training and validation loss, in nats per token, against training tokens.

    `phases` are ends of a curriculum's phases, in tokens, each with a label.
    """
    with style():
        figure = new_figure(6.4, 3.2)
        axes = figure.subplots()
        _plot_losses(axes, training, validation, "training tokens", "validation, whole split")
        for tokens, label in phases:
            axes.axvline(tokens, color=INK, lw=1, ls=(0, (4, 3)))
            place = axes.get_xaxis_transform()  # x in tokens, y in shares of the height
            axes.text(tokens, 0.98, f" {plain(label)}", transform=place, ha="left", va="top")
        return figure


def emergence(rows: Sequence[Row], title: str) -> Figure:
    """Both panels of the emergence curve in one figure."""
    with style():
        figure = new_figure(7.6, 3.5)
        by_tokens, by_loss = figure.subplots(1, 2, sharey=True)
        _plot_by_tokens(by_tokens, rows)
        _plot_by_loss(by_loss, rows)
        by_loss.set(ylabel="")
        figure.suptitle(title, fontsize=10)
        handles, labels = by_tokens.get_legend_handles_labels()
        lines = ceil(len(labels) / LEGEND_COLUMNS)
        figure.legend(handles, labels, loc="outside lower center", ncols=ceil(len(labels) / lines))
        return figure


def emergence_panels(rows: Sequence[Row]) -> list[Figure]:
    """A benchmark's accuracy by kind, with bands and chance: by training tokens, and by validation loss."""
    with style():
        panels = []
        for plot in (_plot_by_tokens, _plot_by_loss):
            figure = new_figure(4.8, 3.5)
            axes = figure.subplots()
            plot(axes, rows)
            figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4)
            panels.append(figure)
        return panels


def _plot_by_tokens(axes: Axes, rows: Sequence[Row]) -> None:
    _plot_kinds(axes, rows, "tokens")
    smallest = min((row["tokens"] for row in rows if row["tokens"] > 0), default=1)
    largest = max(row["tokens"] for row in rows)
    axes.set_xscale("symlog", linthresh=smallest, linscale=0.4)  # logarithmic, and includes zero
    axes.set_xlim(left=0)
    steps = (digit * 10.0**e for e in range(1, 16) for digit in (1, 3))
    axes.set_xticks([0, *(tokens for tokens in steps if smallest <= tokens <= largest)])
    axes.minorticks_off()
    count_axis(axes)
    axes.set(xlabel="training tokens (log)")


def _plot_by_loss(axes: Axes, rows: Sequence[Row]) -> None:
    """Show only snapshots with a lower loss than all before, since a curriculum may raise the loss."""
    falling = [_falling(_curve(rows, kind)) for kind in _shown_kinds(rows)]
    _plot_kinds(axes, [row for curve in falling for row in curve], "val/loss")
    losses = [row["val/loss"] for curve in falling for row in curve]
    axes.set_xscale("log")  # most is learned over the last few tenths
    axes.set_xticks([loss for loss in LOSS_TICKS if min(losses) <= loss <= max(losses)])
    axes.minorticks_off()
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set(xlabel="validation loss (nats per token, log, falling)")
    axes.invert_xaxis()


def _plot_kinds(axes: Axes, rows: Sequence[Row], name: str) -> None:
    for kind, colour in zip(_shown_kinds(rows), cycle(COLOURS), strict=False):
        curve = _curve(rows, kind)
        x, low, high = (column(curve, key) for key in (name, "low", "high"))
        draw_band(axes, x, low, high, colour)
        axes.plot(x, column(curve, "accuracy"), color=colour, marker="o", ms=3, label=plain(kind))
    axes.axhline(next(row["chance"] for row in rows), color=INK, lw=1, ls=(0, (4, 3)), label="chance")
    axes.set(ylabel="accuracy", ylim=(0, 1.02))
    axes.yaxis.set_major_formatter(percent_formatter())


def _shown_kinds(rows: Sequence[Row]) -> list[str]:
    """The kinds without their parts; of too many, only `all` and the mean."""
    kinds = in_order({row["kind"] for row in rows})
    shown = [kind for kind in kinds if kind not in (ALL, MEAN) and PART not in kind] or kinds
    return shown if len(shown) <= MOST_KINDS else [kind for kind in kinds if kind in (ALL, MEAN)]


def _curve(rows: Sequence[Row], kind: str) -> list[Row]:
    return sorted((row for row in rows if row["kind"] == kind), key=lambda row: row["tokens"])


def _falling(rows: Sequence[Row]) -> list[Row]:
    """The rows, in the order of training, whose loss is lower than all previous ones."""
    lowest = accumulate((row["val/loss"] for row in rows), min, initial=float("inf"))
    return [row for row, before in zip(rows, lowest, strict=False) if row["val/loss"] < before]


def confusion(rows: Sequence[Row], labels: Sequence[str]) -> Figure:
    """Confusion matrix, actual by predicted labels: each row's shares as colour, counts if there is room."""
    place = {label: i for i, label in enumerate(labels)}
    counts = Counter((place[row["actual"]], place[row["predicted"]]) for row in rows)
    totals = Counter(place[row["actual"]] for row in rows)
    few = len(labels) <= FEW_LABELS
    longest = 0.05 * max(0, max(map(len, labels)) - LEVEL_CHARACTERS)  # inches that long names need
    with style():
        size = (2.6 + 0.75 * len(labels) + longest, 1.2 + 0.55 * len(labels) + longest) if few else (6.4, 6.0)
        figure = new_figure(*size)
        axes = figure.subplots()
        for (actual, predicted), count in counts.items():
            share = count / totals[actual]
            colour = COLOURS[0] if actual == predicted else COLOURS[1]
            axes.add_patch(
                Rectangle((predicted, actual), 1, 1, facecolor=colour, alpha=0.08 + 0.62 * share, lw=0)
            )
            if few:
                axes.text(predicted + 0.5, actual + 0.5, f"{count:,}", ha="center", va="center")
        axes.set(xlim=(0, len(labels)), ylim=(len(labels), 0), xlabel="predicted", ylabel="actual")
        axes.grid(visible=False)
        ticks = [i + 0.5 for i in range(len(labels))] if few else []
        names = [plain(label) for label in labels] if few else []
        level = sum(map(len, names)) <= LEVEL_CHARACTERS * len(names)
        axes.set_xticks(ticks, names, rotation=0 if level else 45, ha="center" if level else "right")
        axes.set_yticks(ticks, names)
        axes.tick_params(length=0)
        axes.set_title("Confusion matrix" + ("" if few else f" ({len(labels)} labels)"))
        return figure


def roc(rows: Sequence[Row], titles: Mapping[str, str]) -> Figure:
    """Each model's true positive rate against its false positive rate."""
    with style():
        figure = new_figure(5.2, 5.0)
        axes = figure.subplots()
        models = list(dict.fromkeys(row["model"] for row in rows))
        for model, colour in zip(models, cycle(COLOURS), strict=False):
            curve = [row for row in rows if row["model"] == model]
            x, y = (column(curve, f"{name}_positive_rate") for name in ("false", "true"))
            axes.plot(
                x, y, color=colour, lw=2.2 if model == models[0] else 1.2, label=titles.get(model, model)
            )
        axes.plot([0, 1], [0, 1], color=INK, lw=1, ls=(0, (4, 3)), label="chance")
        axes.set(
            xlabel="false positive rate",
            ylabel="true positive rate",
            xlim=(-0.01, 1),
            ylim=(0, 1.01),
            title="ROC",
        )
        axes.xaxis.set_major_formatter(percent_formatter())
        axes.yaxis.set_major_formatter(percent_formatter())
        figure.legend(loc="outside lower center")
        return figure


def translation_panels(training: Sequence[Row], validation: Sequence[Row]) -> list[Figure]:
    """Against training tokens: training and validation loss, and BLEU on validation sentences."""
    tokens = "training tokens, both sides"
    with style():
        losses, scores = new_figure(4.8, 3.0), new_figure(4.8, 3.0)
        _plot_losses(losses.subplots(), training, validation, tokens, "validation")
        axes, bleu = scores.subplots(), column(validation, "val/bleu")
        axes.plot(column(validation, "tokens"), bleu, color=COLOURS[1], marker="o", ms=3)
        draw_spread(axes, column(validation, "tokens"), bleu, COLOURS[1])
        axes.set(xlabel=tokens, ylabel="BLEU, greedy decoding", ylim=(0, 100))
        count_axis(axes)
        return [losses, scores]


def _plot_losses(axes: Axes, training: Sequence[Row], validation: Sequence[Row], x: str, label: str) -> None:
    curves = ((training, "train/loss", "training"), (validation, "val/loss", label))
    for (rows, name, title), colour, marker in zip(curves, COLOURS, (None, "o"), strict=False):
        tokens, losses = column(rows, "tokens"), column(rows, name)
        axes.plot(tokens, losses, color=colour, lw=1.6 if marker else 0.9, marker=marker, ms=3, label=title)
        draw_spread(axes, tokens, losses, colour)
    axes.set(xlabel=x, ylabel="loss (nats per token)")
    count_axis(axes)
    axes.legend(loc="upper right")


def heat_maps(
    panels: Sequence[Sequence[Sequence[float]]],
    source: Sequence[str],
    target: Sequence[str],
    panel: str = "layer",
    first: int = 1,
    width: float = 7.6,
) -> Figure:
    """Attention weights from target tokens (rows) to source tokens, as colour: a panel per layer or head.

    A figure is at least `width` inches wide.
    """
    columns, rows = (
        [token.strip().replace("$", r"\$") or "␣" for token in side] for side in (source, target)
    )
    with style():
        figure = new_figure(max(width, 0.9 + 0.18 * len(panels) * len(columns)), 1.1 + 0.21 * len(rows))
        shown = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for number, (axes, shares) in enumerate(zip(shown, panels, strict=True), first):
            for i, row in enumerate(shares):
                for j, share in enumerate(row):
                    if share >= 0.01:
                        axes.add_patch(
                            Rectangle((j, i), 1, 1, facecolor=COLOURS[0], alpha=min(1.0, share), lw=0)
                        )
            axes.set(xlim=(0, len(columns)), ylim=(len(rows), 0), title=f"{panel} {number}")
            axes.set_xticks([j + 0.5 for j in range(len(columns))], columns, rotation=90)
            axes.set_yticks([i + 0.5 for i in range(len(rows))], rows)
            axes.grid(visible=False)
            axes.tick_params(length=0)
        return figure
