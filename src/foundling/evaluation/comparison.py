"""A classifier compared with the baselines and with the base model, on the same test texts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.table import Table

from foundling.artifacts import write_csv
from foundling.evaluation.classification import Predictions, difference, roc_points, score
from foundling.metrics.classify import BeforeAndAfter, Classify, Difference, ModelScores

OURS, ZERO_SHOT = "classifier", "zero_shot"
ANSWER_COLUMNS = ("actual", "predicted", "probability", "text")
ROC_COLUMNS = ("model", "false_positive_rate", "true_positive_rate")


def compare(
    golds: np.ndarray, labels: Sequence[str], predictions: Mapping[str, Predictions]
) -> dict[str, ModelScores]:
    """Each model's scores against the true label ids (N,), and the classifier's lead over the others."""
    scores = {}
    for name, model in predictions.items():
        lead = difference(golds, predictions[OURS], model) if name != OURS else None
        scores[name] = replace(score(golds, model, labels), ahead=lead)
    return scores


def write_tables(
    folder: Path,
    texts: Sequence[str],
    golds: np.ndarray,
    labels: Sequence[str],
    probabilities: np.ndarray,
    predictions: Mapping[str, Predictions],
) -> None:
    """Write classify_answers.csv, a row for each test text, and classify_roc.csv, a curve for each model."""
    answers = [
        (labels[gold], labels[row.argmax()], f"{row.max():.4f}", text)
        for text, gold, row in zip(texts, golds, probabilities, strict=True)
    ]
    write_csv(folder / "classify_answers.csv", ANSWER_COLUMNS, answers)
    curves = []
    for name, model in predictions.items():
        curves += [(name, f"{x:.6g}", f"{y:.6g}") for x, y in roc_points(golds, model)]
    write_csv(folder / "classify_roc.csv", ROC_COLUMNS, curves)


def summary(metrics: Classify) -> Table:
    """A table of the comparison for the terminal; with two labels, F1 is that of the second."""
    labels = list(metrics.models[OURS].labels)
    two = len(labels) == 2
    forgetting = [format_forgetting(metrics.forgetting)] if metrics.forgetting else []
    notes = [f"{name} is left out: {reason}" for name, reason in metrics.left_out.items()]
    table = Table(
        "model",
        "texts",
        "accuracy",
        "95 %",
        f"F1 of {labels[1]}" if two else "mean F1",
        *(["ROC-AUC"] if two else []),
        "classifier ahead by",
        title=f"{metrics.dataset}, test split",
        caption="\n".join([*forgetting, *notes]),
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for name, scores in metrics.models.items():
        roc_auc = "" if scores.roc_auc is None else f"{scores.roc_auc:.4f}"
        table.add_row(
            name,
            f"{scores.n:,}",
            f"{scores.accuracy:.1%}",
            f"{scores.low:.1%} – {scores.high:.1%}",
            f"{scores.labels[labels[1]].f1 if two else scores.macro_f1:.1%}",
            *([roc_auc] if two else []),
            format_lead(scores.ahead) if scores.ahead else "",
        )
    for name in metrics.left_out:
        table.add_row(name, "left out")
    return table


def format_forgetting(forgetting: BeforeAndAfter) -> str:
    """How fine-tuning changed the held-out loss and the benchmark accuracies, in a sentence."""
    before, after = forgetting.before, forgetting.after
    changes = [f"held-out loss {before.val_loss:.4f} → {after.val_loss:.4f}"]
    for name, scores in before.benchmarks.items():
        changes.append(f"{name} {scores.accuracy:.1%} → {after.benchmarks[name].accuracy:.1%}")
    return f"the base before and after fine-tuning: {', '.join(changes)}"


def format_lead(ahead: Difference) -> str:
    """A paired difference with its interval in percentage points, not significant if that contains 0."""
    low, mean, high = (100 * value for value in (ahead.low, ahead.difference, ahead.high))
    return f"{mean:+.1f} [{low:+.1f}, {high:+.1f}]" + ("; not significant" if low <= 0 <= high else "")
