"""A tuned classifier beside what needs no tuning: everyone's answers to the same test texts in, one table out."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from foundling.artifacts import atomic_file
from foundling.evaluation.classification import Answers, difference, measure, roc_rows

OURS, ZERO_SHOT = "classifier", "zero_shot"
ANSWER_COLUMNS = ("actual", "predicted", "probability", "text")
ROC_COLUMNS = ("model", "false_positive_rate", "true_positive_rate")


def compare(golds: np.ndarray, labels: Sequence[str], given: Mapping[str, Answers]) -> dict[str, dict[str, Any]]:
    """Each model's measures on the true labels (N,); for the others, by how much the classifier is ahead of them."""
    found = {name: measure(golds, answers, labels) for name, answers in given.items()}
    for name in found:
        if name != OURS:
            found[name]["ahead"] = difference(golds, given[OURS], given[name])
    return found


def write_tables(
    folder: Path,
    texts: Sequence[str],
    golds: np.ndarray,
    labels: Sequence[str],
    found: np.ndarray,
    given: Mapping[str, Answers],
) -> None:
    """classify_answers.csv, a row for each test text, and classify_roc.csv, each model's curve."""
    answers = [
        (labels[gold], labels[row.argmax()], f"{row.max():.4f}", text)
        for text, gold, row in zip(texts, golds, found, strict=True)
    ]
    _write(folder / "classify_answers.csv", ANSWER_COLUMNS, answers)
    curve = [(row["model"], *(f"{row[c]:.6g}" for c in ROC_COLUMNS[1:])) for row in roc_rows(golds, given)]
    _write(folder / "classify_roc.csv", ROC_COLUMNS, curve)


def summary(metrics: Mapping[str, Any]) -> Table:
    """The table for the terminal; with two labels, F1 is that of the second."""
    models = metrics["models"]
    labels = list(models[OURS]["labels"])
    two = len(labels) == 2
    table = Table(
        "model",
        "texts",
        "accuracy",
        "95 %",
        f"F1 of {labels[1]}" if two else "mean F1",
        *(["ROC-AUC"] if two else []),
        "classifier ahead by",
        title=f"{metrics['dataset']}, test split",
        caption="\n".join([forgetting_in_words(metrics["forgetting"]), *_left_out_in_words(metrics)]),
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for name, found in models.items():
        f1 = found["labels"][labels[1]]["f1"] if two else found["macro_f1"]
        ahead = found.get("ahead")
        table.add_row(
            name,
            f"{found['n']:,}",
            f"{found['accuracy']:.1%}",
            f"{found['low']:.1%} – {found['high']:.1%}",
            f"{f1:.1%}",
            *([f"{found['roc_auc']:.4f}" if "roc_auc" in found else ""] if two else []),
            in_words(ahead) if ahead else "",
        )
    for name in metrics.get("left_out", {}):
        table.add_row(name, "left out")
    return table


def forgetting_in_words(forgetting: Mapping[str, Any]) -> str:
    """What the trunk lost of the base's own text and benchmarks, in a sentence."""
    before, after = forgetting["before"], forgetting["after"]
    parts = [f"held-out loss {before['val/loss']:.4f} → {after['val/loss']:.4f}"]
    parts += [
        f"{name} {found['accuracy']:.1%} → {after['benchmarks'][name]['accuracy']:.1%}"
        for name, found in before["benchmarks"].items()
    ]
    return f"the base before and after tuning: {', '.join(parts)}"


def _left_out_in_words(metrics: Mapping[str, Any]) -> list[str]:
    """Why a baseline has no answers, a sentence for each."""
    return [f"{name} is left out: {why}" for name, why in metrics.get("left_out", {}).items()]


def in_words(ahead: Mapping[str, float]) -> str:
    """A paired difference with its interval, in percentage points; one that holds 0 shows no difference."""
    low, mean, high = (100 * ahead[name] for name in ("low", "difference", "high"))
    return f"{mean:+.1f} [{low:+.1f}, {high:+.1f}]" + ("; no difference shown" if low <= 0 <= high else "")


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with atomic_file(path) as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(columns)
        table.writerows(rows)
