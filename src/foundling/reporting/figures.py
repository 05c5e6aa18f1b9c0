"""Plot rows of plots/*.csv; equal rows give equal figures."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import accumulate, cycle

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from foundling.reporting.drawing import (
    COLOURS,
    INK,
    column,
    count_axis,
    draw_band,
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


def loss_curves(training: Sequence[Row], validation: Sequence[Row]) -> Figure:
    """Training and validation loss, in nats per token, against training tokens."""
    with style():
        figure = new_figure(7.2, 3.2)
        axes = figure.subplots()
        _plot_losses(axes, training, validation, "training tokens", "validation, whole split")
        return figure


def emergence(rows: Sequence[Row], title: str) -> Figure:
    """A benchmark's accuracy by kind with 95 % bands and chance, against training tokens and validation loss.

    The latter shows only snapshots with a lower loss than all before, since a curriculum may raise the loss.
    """
    with style():
        figure = new_figure(7.6, 3.5)
        by_tokens, by_loss = figure.subplots(1, 2, sharey=True)
        kinds = in_order({row["kind"] for row in rows})
        shown = [kind for kind in kinds if kind not in (ALL, MEAN) and PART not in kind] or kinds
        if len(shown) > MOST_KINDS:
            shown = [kind for kind in kinds if kind in (ALL, MEAN)]
        for kind, colour in zip(shown, cycle(COLOURS), strict=False):
            curve = sorted((row for row in rows if row["kind"] == kind), key=lambda row: row["tokens"])
            for axes, name, points in ((by_tokens, "tokens", curve), (by_loss, "val/loss", _falling(curve))):
                x, low, high = (column(points, key) for key in (name, "low", "high"))
                draw_band(axes, x, low, high, colour)
                axes.plot(x, column(points, "accuracy"), color=colour, marker="o", ms=3, label=plain(kind))
        chance = next(row["chance"] for row in rows)
        for axes in (by_tokens, by_loss):
            axes.axhline(chance, color=INK, lw=1, ls=(0, (4, 3)), label="chance")
        smallest = min((row["tokens"] for row in rows if row["tokens"] > 0), default=1)
        by_tokens.set_xscale("symlog", linthresh=smallest, linscale=0.4)  # logarithmic, and includes zero
        by_tokens.set_xlim(left=0)
        by_tokens.set_xticks(
            [0, *(10.0**e for e in range(1, 16) if smallest < 10**e <= max(row["tokens"] for row in rows))]
        )
        by_tokens.minorticks_off()
        count_axis(by_tokens)
        by_tokens.set(xlabel="training tokens (log)", ylabel="accuracy", ylim=(0, 1.02))
        by_tokens.yaxis.set_major_formatter(percent_formatter())
        losses = column(_falling(sorted(rows, key=lambda row: row["tokens"])), "val/loss")
        by_loss.set_xscale("log")  # most is learned over the last few tenths
        by_loss.set_xticks([loss for loss in LOSS_TICKS if min(losses) <= loss <= max(losses)])
        by_loss.minorticks_off()
        by_loss.xaxis.set_major_formatter("{x:g}")
        by_loss.set(xlabel="validation loss (nats per token, log, falling)")
        by_loss.invert_xaxis()
        figure.suptitle(title, fontsize=10)
        figure.legend(
            *by_tokens.get_legend_handles_labels(), loc="outside lower center", ncols=min(7, len(shown) + 1)
        )
        return figure


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
        figure = new_figure(7.2, 3.4)
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
        figure.legend(loc="outside right center")
        return figure


def translation_curves(training: Sequence[Row], validation: Sequence[Row]) -> Figure:
    """Training and validation loss, and BLEU on validation sentences, against training tokens."""
    with style():
        figure = new_figure(7.6, 3.0)
        losses, scores = figure.subplots(1, 2)
        tokens = "training tokens, both sides"
        _plot_losses(losses, training, validation, tokens, "validation")
        points = {"color": COLOURS[1], "marker": "o", "ms": 3}
        scores.plot(column(validation, "tokens"), column(validation, "val/bleu"), **points)
        scores.set(xlabel=tokens, ylabel="BLEU, greedy decoding", ylim=(0, 100))
        count_axis(scores)
        return figure


def _plot_losses(axes: Axes, training: Sequence[Row], validation: Sequence[Row], x: str, label: str) -> None:
    axes.plot(
        column(training, "tokens"),
        column(training, "train/loss"),
        color=COLOURS[0],
        lw=0.9,
        label="training",
    )
    losses = column(validation, "val/loss")
    axes.plot(column(validation, "tokens"), losses, color=COLOURS[1], marker="o", ms=3, label=label)
    axes.set(xlabel=x, ylabel="loss (nats per token)")
    count_axis(axes)
    axes.legend()


def heat_maps(
    panels: Sequence[Sequence[Sequence[float]]],
    source: Sequence[str],
    target: Sequence[str],
    panel: str = "layer",
) -> Figure:
    """Attention weights from target tokens (rows) to source tokens, as colour: a panel per layer or head.

    The figure's width does not depend on the sentence's length: all words on a page have the same size.
    """
    columns, rows = (
        [token.strip().replace("$", r"\$") or "␣" for token in side] for side in (source, target)
    )
    with style():
        figure = new_figure(max(7.6, 0.9 + 0.18 * len(panels) * len(columns)), 1.1 + 0.21 * len(rows))
        shown = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for number, (axes, shares) in enumerate(zip(shown, panels, strict=True), 1):
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
