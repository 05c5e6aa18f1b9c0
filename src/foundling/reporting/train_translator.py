"""The report's section on translation: metrics, curves and cross-attention in, the template's values out."""

from collections.abc import Mapping, Sequence
from typing import Any

from foundling.reporting.figures import Row, as_svg, looks, translation_curves

TITLES = {
    "beam": "beam search",
    "greedy": "greedy decoding",
    "nearest": "nearest neighbour in the training data",
}
SHOWN = 8  # translations


def translator_part(
    metrics: Mapping[str, Any],
    training: Sequence[Row],
    validation: Sequence[Row],
    translations: Sequence[Row],
    examples: Sequence[Row],
) -> dict[str, Any] | None:
    """A row for each decoding method, the curves, a heat map for each example, and the first translations."""
    if not metrics:
        return None
    return {
        "dataset": metrics["dataset"],
        "pairs": metrics["pairs"],
        "training": metrics["training"],
        "search": metrics["search"],
        "signatures": metrics["signatures"],
        "ways": [{"title": TITLES[name], **found} for name, found in metrics["test"].items()],
        "curves": as_svg(translation_curves(training, validation)),
        "looks": [as_svg(looks(one["layers"], one["source"], one["translation"])) for one in examples],
        "translations": translations[:SHOWN],
    }
