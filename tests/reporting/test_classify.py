"""The report's section on classification shows every model, errors, and forgetting."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from foundling.evaluation.classification import Predictions
from foundling.evaluation.comparison import compare
from foundling.metrics.classify import Classify
from foundling.reporting.drawing import as_png, as_svg
from foundling.reporting.figures import confusion
from foundling.reporting.material import Material
from foundling.reporting.page import page

MakeMetrics = Callable[..., Classify]


def made_up(make: MakeMetrics, labels: list[str], errors: float) -> tuple[Classify, list[dict[str, Any]]]:
    """Metrics and answers of a classifier that is wrong now and then."""
    random = np.random.default_rng(1)
    golds = random.integers(len(labels), size=600)

    def guess(share: float) -> Predictions:
        wrong = random.random(600) < share
        predicted = np.where(wrong, random.integers(len(labels), size=600), golds)
        return Predictions(predicted, predicted + random.normal(0, 0.4, 600) if len(labels) == 2 else None)

    predictions = {"classifier": guess(errors), "majority": Predictions(np.zeros(600, dtype=int), None)}
    predictions |= {"char_tfidf_svm": guess(errors), "word_tfidf_logistic": guess(4 * errors)}
    answers = [
        {
            "actual": labels[g],
            "predicted": labels[p],
            "probability": 0.5 + i / 2000,
            "text": f"<b>text {i}</b>",
        }
        for i, (g, p) in enumerate(zip(golds, predictions["classifier"].labels, strict=True))
    ]
    return make(compare(golds, labels, predictions)), answers


@pytest.fixture
def curve() -> list[dict[str, Any]]:
    points = ((0.0, 0.0), (0.05, 0.9), (1.0, 1.0))
    return [
        {"model": model, "false_positive_rate": x, "true_positive_rate": y}
        for model in ("classifier", "char_tfidf_svm")
        for x, y in points
    ]


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<style.*?</style>|<[^>]+>", " ", html, flags=re.DOTALL).split())


def test_the_page_shows_models_mistakes_and_what_was_forgotten(
    material: Material, curve: list[dict[str, Any]], classify_metrics: MakeMetrics
) -> None:
    metrics, answers = made_up(classify_metrics, ["ham", "spam"], 0.05)
    html = page(replace(material, classify=metrics, classify_answers=answers, classify_roc=curve))
    text = text_of(html)
    for shown in (
        "classify fables messages into 2 labels. Trained: all weights (1 M parameters), for 750 steps on "
        "4,000 texts",
        "fine-tuned GPT",
        "TF-IDF of character 3- to 5-grams, linear SVM",
        "F1 of spam",
        "not significant",
        "9 of 5,500 texts were duplicates",
        "3 were longer than the context",
        "Most frequent: ",
        "loss on the base model's held-out text 2.500 3.250",
        "arc easy 50.0 % 40.0 % – 60.0 % 50.0 %",
    ):
        assert shown in text.replace("&#39;", "'"), shown
    assert "<b>text" not in html.replace("<blockquote><b>", "")
    assert html == page(replace(material, classify=metrics, classify_answers=answers, classify_roc=curve))


def test_many_labels_fold_away_and_have_no_curve(material: Material, classify_metrics: MakeMetrics) -> None:
    metrics, answers = made_up(classify_metrics, [f"intent_{i}" for i in range(30)], 0.1)
    html = page(replace(material, classify=metrics, classify_answers=answers))
    assert "mean F1" in text_of(html)
    assert "ROC" not in text_of(html)
    assert "<details><summary>The fine-tuned GPT, label by label" in html


def test_without_a_classifier_the_part_is_left_out(material: Material) -> None:
    assert "Classification" not in page(material)


def test_the_confusion_counts_every_answer_and_is_sound_svg(classify_metrics: MakeMetrics) -> None:
    _, answers = made_up(classify_metrics, ["ham", "spam", "hard_news"], 0.2)
    first, second = (confusion(answers, ["ham", "spam", "hard_news"]) for _ in range(2))
    assert as_svg(first) == as_svg(second)
    words = [e.text or "" for e in ET.fromstring(as_svg(first)).iter("{http://www.w3.org/2000/svg}text")]
    assert {"ham", "spam", "hard news", "predicted", "actual"} <= set(words)
    assert sum(int(word) for word in words if word.isdigit()) == 600
    assert as_png(first).startswith(b"\x89PNG")
