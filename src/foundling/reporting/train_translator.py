"""The report's section on translation: metrics, curves and cross-attention in, the template's values out."""

from collections.abc import Sequence
from typing import Any

from foundling.metrics.train_translator import TITLES, TrainTranslator
from foundling.reporting.figures import as_svg, heat_maps, translation_curves
from foundling.reporting.reading import Row

SHOWN = 8  # translations


def translator_part(
    metrics: TrainTranslator | None,
    training: Sequence[Row],
    validation: Sequence[Row],
    translations: Sequence[Row],
    cross_attention: Sequence[Row],
) -> dict[str, Any] | None:
    """The metrics, the curves, a heat map for each example, and the first translations."""
    if metrics is None:
        return None
    return {
        "metrics": metrics,
        "titles": TITLES,
        "curves": as_svg(translation_curves(training, validation)),
        "heat_maps": [as_svg(heat_maps(row["layers"], row["source"], row["translation"])) for row in cross_attention],
        "translations": translations[:SHOWN],
    }
