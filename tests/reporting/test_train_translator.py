"""The report's section on translation shows scores with intervals, curves, attention and translations."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import pytest

from foundling.metrics import from_plain
from foundling.metrics.train_translator import TrainTranslator
from foundling.reporting.drawing import as_png, as_svg
from foundling.reporting.figures import heat_maps, translation_panels
from foundling.reporting.material import Material
from foundling.reporting.page import page

LOOK = {
    "source": ["The", " fox", " has", " $5", "■"],
    "translation": ["Der", " Fuchs", "■"],
    "layers": [[[0.9, 0.1, 0, 0, 0], [0, 1.0, 0, 0, 0], [0, 0, 0, 0.25, 0.75]], [[0.2] * 5] * 3],
}
VALIDATION = [
    {"step": s, "tokens": s * 4000, "val/loss": 3 / s, "val/bleu": min(90.0, s / 5)} for s in (100, 300, 500)
]
TRAINING = [{"step": s, "tokens": s * 4000, "train/loss": 4 / s} for s in range(20, 501, 20)]


def scored(bleu: float) -> dict[str, Any]:
    interval = {"score": bleu, "low": bleu - 1.5, "high": bleu + 1.5}
    return {
        "bleu": interval,
        "chrf": interval,
        "exact": {"n": 1000, "accuracy": 0.5, "low": 0.47, "high": 0.53},
    }


@pytest.fixture
def translated(material: Material) -> Material:
    metrics = {
        "dataset": "fables_pairs_german",
        "changes": {},
        "pairs": {"train": 40_000, "validation": 500, "test": 1000, "tested": 1000},
        "training": {
            "val/loss": 0.0712,
            "val/perplexity": 1.07,
            "val/bleu": 88.0,
            "parameters": 1_640_000,
            "steps": 500,
            "epochs": 3.0,
            "tokens": 1_000_000,
        },
        "search": {"beam": 4, "length_penalty": 0.6, "extra": 50},
        "signatures": {"bleu": "nrefs:1|tok:13a", "chrf": "nrefs:1|nc:6"},
        "test": {"beam": scored(88.1), "greedy": scored(87.5), "nearest": scored(30.3)},
    }
    rows = [{"source": f"<b>fox {i}</b>", "reference": "Fuchs", "beam": "Fuchs"} for i in range(20)]
    return replace(
        material,
        translator=from_plain(metrics, TrainTranslator, "train_translator.json"),
        translator_training=TRAINING,
        translator_validation=VALIDATION,
        translations=rows,
        cross_attention=[LOOK, LOOK],
    )


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<style.*?</style>|<[^>]+>", " ", html, flags=re.DOTALL).split())


def test_the_page_shows_scores_signatures_curves_and_translations(translated: Material) -> None:
    html = page(translated)
    text = text_of(html)
    for shown in (
        "1.64 M parameters was trained from scratch on 40,000 sentence pairs of fables pairs german",
        "beam search 88.1 86.6 – 89.6",
        "nearest neighbour in the training data 30.3",
        "nrefs:1|tok:13a; nrefs:1|nc:6",
        "0.071 nats per token, perplexity 1.07",
        "Cross-attention",
        "The first sentences of the test split",
    ):
        assert shown in text, shown
    assert "<b>fox" not in html
    assert text.count("fox 7") == 1
    assert "fox 8" not in text
    assert html == page(translated)


def test_without_a_translator_the_part_is_left_out(material: Material) -> None:
    assert "Translation" not in page(material)


def test_a_heat_map_has_a_panel_a_layer_and_shows_dollars_as_dollars() -> None:
    svg = as_svg(heat_maps(LOOK["layers"], LOOK["source"], LOOK["translation"]))
    words = [e.text or "" for e in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]
    assert {"layer 1", "layer 2", "Fuchs", "fox"} <= set(words)
    assert "5" in "".join(words)
    shares = [float(o) for o in re.findall(r"fill: #1f86c7; (?:fill-)?opacity: ([\d.]+)", svg)]
    assert 0.9 in shares
    assert shares.count(0.2) == 15


def test_figures_are_equal_from_run_to_run() -> None:
    one, two = ([as_png(panel) for panel in translation_panels(TRAINING, VALIDATION)] for _ in range(2))
    assert one == two
