"""The report's sections on fine-tuned models: the values of their templates, from metrics and rows."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from foundling.metrics.classify import Classify
from foundling.metrics.train_translator import TITLES, TrainTranslator
from foundling.reporting.drawing import as_svg
from foundling.reporting.figures import confusion, heat_maps, roc, translation_panels
from foundling.reporting.reading import Row
from foundling.reporting.templates import Download, Drawn

MODELS = {
    "classifier": "fine-tuned GPT",
    "majority": "most frequent label",
    "word_tfidf_logistic": "TF-IDF of words, logistic regression",
    "char_tfidf_svm": "TF-IDF of character 3- to 5-grams, linear SVM",
    "zero_shot": "base model, zero-shot",
}
TRAINED = {
    "head": "the classification head",
    "last": "the classification head and the last blocks",
    "all": "all weights",
    "lora": "the classification head and LoRA adapters",
}
SHOWN_ERRORS = 6  # and confused pairs of labels
SHOWN_ANSWERS = 13  # prompts with both models' answers
SHOWN_TRANSLATIONS = 8


def classification(metrics: Classify, answers: Sequence[Row], curve: Sequence[Row]) -> dict[str, Any]:
    """The values of the section on classification."""
    labels = list(metrics.models["classifier"].labels)
    two = len(labels) == 2
    wrong = [row for row in answers if row["actual"] != row["predicted"]]
    pairs = Counter((row["actual"], row["predicted"]) for row in wrong)
    return {
        "metrics": metrics,
        "labels": metrics.models["classifier"].labels,
        "trained": TRAINED[metrics.training.train],
        "f1": f"F1 of {labels[1].replace('_', ' ')}" if two else "mean F1",
        "models": [
            (MODELS.get(name, name), scores, scores.labels[labels[1]].f1 if two else scores.macro_f1)
            for name, scores in metrics.models.items()
        ],
        "confusion_figure": draw_confusion(answers, labels),
        "roc_figure": Drawn("ROC", [as_svg(roc(curve, MODELS))], Download("roc.csv", curve))
        if curve
        else None,
        "pairs": [
            (actual, predicted, count) for (actual, predicted), count in pairs.most_common(SHOWN_ERRORS)
        ],
        "mistakes": sorted(wrong, key=lambda row: -row["probability"])[:SHOWN_ERRORS],
    }


def choose_shown(answers: Sequence[Row], count: int = SHOWN_ANSWERS) -> list[Row]:
    """Up to `count` answers: the first of each kind, then the second of each, and so on."""
    seen: Counter[Any] = Counter()
    order = []
    for i, answer in enumerate(answers):
        seen[answer["kind"]] += 1
        order.append((seen[answer["kind"]], i))
    return [answers[i] for _, i in sorted(order)[:count]]


def translation(
    metrics: TrainTranslator,
    training: Sequence[Row],
    validation: Sequence[Row],
    translations: Sequence[Row],
    cross_attention: Sequence[Row],
) -> dict[str, Any]:
    """The metrics, the curves, a heat map for each example, and the first translations."""
    return {
        "metrics": metrics,
        "titles": TITLES,
        "curves": Drawn(
            "Loss and BLEU",
            list(map(as_svg, translation_panels(training, validation))),
            Download("translation.csv", [*training, *validation]),
        ),
        "heat_maps": [draw_attention(number, row) for number, row in enumerate(cross_attention, 1)],
        "translations": translations[:SHOWN_TRANSLATIONS],
    }


def draw_confusion(answers: Sequence[Row], labels: Sequence[str]) -> Drawn:
    """The confusion matrix."""
    counts = Counter((row["actual"], row["predicted"]) for row in answers)
    rows = [
        {"actual": a, "predicted": p, "texts": counts[a, p]} for a in labels for p in labels if counts[a, p]
    ]
    return Drawn("Confusion matrix", [as_svg(confusion(answers, labels))], Download("confusion.csv", rows))


def draw_attention(number: int, row: Row) -> Drawn:
    """A translation's cross-attention: a panel for each layer."""
    source, target = row["source"], row["translation"]
    panels = [
        as_svg(heat_maps([layer], source, target, first=place, width=4.8))
        for place, layer in enumerate(row["layers"], 1)
    ]
    cells = [
        {"layer": place, "target": word, "source": other, "weight": weight}
        for place, layer in enumerate(row["layers"], 1)
        for word, weights in zip(target, layer, strict=False)
        for other, weight in zip(source, weights, strict=False)
    ]
    return Drawn("Cross-attention", panels, Download(f"cross_attention_{number}.csv", cells))
