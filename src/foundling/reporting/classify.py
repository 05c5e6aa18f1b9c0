"""The report's section on classification: metrics, answers and ROC curves in, the template's values out."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from foundling.metrics.classify import Classify
from foundling.reporting.figures import as_svg, confusion, roc
from foundling.reporting.reading import Row

TITLES = {
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
SHOWN = 6  # errors, and confused pairs of labels


def classify_part(metrics: Classify | None, answers: Sequence[Row], curve: Sequence[Row]) -> dict[str, Any] | None:
    """The section's values; None without metrics."""
    if metrics is None:
        return None
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
            (TITLES.get(name, name), scores, scores.labels[labels[1]].f1 if two else scores.macro_f1)
            for name, scores in metrics.models.items()
        ],
        "confusion_figure": as_svg(confusion(answers, labels)),
        "roc_figure": as_svg(roc(curve, TITLES)) if curve else None,
        "pairs": [(actual, predicted, count) for (actual, predicted), count in pairs.most_common(SHOWN)],
        "mistakes": sorted(wrong, key=lambda row: -row["probability"])[:SHOWN],
    }
