"""The report's part on classification: metrics, answers and ROC curves in, what the template shows out."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from foundling.reporting.figures import Row, as_svg, confusion, roc

TITLES = {
    "classifier": "tuned GPT",
    "majority": "most frequent label",
    "word_tfidf_logistic": "words: TF-IDF, logistic regression",
    "char_tfidf_svm": "3 to 5 characters: TF-IDF, linear SVM",
    "zero_shot": "base, before any tuning",
}
TRAINED = {
    "head": "the label head alone",
    "last": "the label head and the last blocks",
    "all": "all weights",
    "lora": "the label head and low-rank differences (LoRA)",
}
SHOWN = 6  # mistakes, and pairs of labels that are confused


def classify_part(metrics: Mapping[str, Any], answers: Sequence[Row], curve: Sequence[Row]) -> dict[str, Any] | None:
    """Every model's row, the figures, each label's row, what was mistaken for what, and what was forgotten."""
    if not metrics:
        return None
    models = metrics["models"]
    labels = list(models["classifier"]["labels"])
    two = len(labels) == 2
    wrong = [row for row in answers if row["actual"] != row["predicted"]]
    pairs = Counter((row["actual"], row["predicted"]) for row in wrong)
    forgetting = metrics["forgetting"]
    return {
        "dataset": metrics["dataset"],
        "texts": metrics["texts"],
        "labels": models["classifier"]["labels"],
        "training": metrics["training"],
        "trained": TRAINED[metrics["training"]["train"]],
        "f1": f"F1 of {labels[1]}" if two else "mean F1",
        "models": [
            {
                "title": TITLES.get(name, name),
                "f1": found["labels"][labels[1]]["f1"] if two else found["macro_f1"],
                **found,
            }
            for name, found in models.items()
        ],
        "confusion_figure": as_svg(confusion(answers, labels)),
        "roc_figure": as_svg(roc(curve, TITLES)) if curve else None,
        "pairs": [(actual, predicted, count) for (actual, predicted), count in pairs.most_common(SHOWN)],
        "mistakes": sorted(wrong, key=lambda row: -row["probability"])[:SHOWN],
        "held_out": [forgetting[when]["val/loss"] for when in ("before", "after")],
        "benchmarks": [
            {"name": name, "before": before, "after": forgetting["after"]["benchmarks"][name]}
            for name, before in forgetting["before"]["benchmarks"].items()
        ],
    }
