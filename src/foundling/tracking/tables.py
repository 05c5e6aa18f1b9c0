"""W&B tables and charts of what a stage has written to plots/ and metrics/, and its metrics as a summary."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foundling.artifacts import read_json
from foundling.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    import wandb

LARGEST = 1000  # rows of a table
# tables of texts, by stage: the key in W&B, and the file
TEXTS = {
    "pretrain": ("samples", "training_samples.jsonl"),
    "instruct": ("answers", "answers.jsonl"),
    "train_translator": ("translations", "translations.jsonl"),
    "evaluate": ("samples", "samples.jsonl"),
}
METRICS = {"tokenize": "data"}  # the file of a stage's metrics, if it has another name than the stage
TOKENIZER = "data/tokenizer"
RATES = ("false_positive_rate", "true_positive_rate")


def summary(stage: str, out: Path) -> dict[str, float]:
    """The numbers of metrics/<stage>.json as `<stage>/<key>/…`, and the size of a tokenizer's vocabulary."""
    if stage == "train_tokenizer":
        return {f"{stage}/vocab_size": Tokenizer.load(out / TOKENIZER).vocab_size}
    file = _metrics_file(stage, out)
    return dict(_numbers(read_json(file), stage)) if file.is_file() else {}


def tables(stage: str, out: Path) -> dict[str, Any]:
    """A stage's texts as a table, and what is drawn of its results, by their keys in W&B."""
    made: dict[str, Any] = {}
    if stage in TEXTS:
        key, name = TEXTS[stage]
        if rows := list(_rows(out / "plots" / name)):
            made[key] = _table(rows)
    if stage == "tokenize":
        made["shards"] = _table(read_json(_metrics_file(stage, out))["rows"])
    if stage == "classify":
        made |= _classification(out)
    if stage == "evaluate":
        made |= _emergence(list(_rows(out / "plots/emergence.csv")))
    return made


def _metrics_file(stage: str, out: Path) -> Path:
    return out / f"metrics/{METRICS.get(stage, stage)}.json"


def _numbers(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, float]]:
    for key, value in values.items():
        name = f"{prefix}/{key}"
        if isinstance(value, dict):
            yield from _numbers(value, name)
        elif isinstance(value, int | float):
            yield name, value


def _classification(out: Path) -> dict[str, Any]:
    """The answers, the confusion matrix, and the ROC curves of all models if there are two labels."""
    import wandb

    labels = list(read_json(_metrics_file("classify", out))["models"]["classifier"]["labels"])
    answers = list(_rows(out / "plots/classify_answers.csv"))
    actual, predicted = ([labels.index(row[side]) for row in answers] for side in ("actual", "predicted"))
    made = {
        "answers": _table([row | {"probability": float(row["probability"])} for row in answers]),
        "confusion": wandb.plot.confusion_matrix(y_true=actual, preds=predicted, class_names=labels),
    }
    points = [
        [row["model"], *(float(row[rate]) for rate in RATES)] for row in _rows(out / "plots/classify_roc.csv")
    ]
    if points:
        made["roc"] = wandb.plot_table(
            "wandb/area-under-curve/v0",
            wandb.Table(["class", "fpr", "tpr"], points),
            {"x": "fpr", "y": "tpr", "class": "class"},
            {"title": "ROC", "x-axis-title": "False positive rate", "y-axis-title": "True positive rate"},
        )
    return made


def _emergence(points: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """For each benchmark, the accuracy of the snapshots by kind of question, over tokens."""
    import wandb

    charts = {}
    for benchmark in dict.fromkeys(row["benchmark"] for row in points):
        curves: dict[str, list[tuple[int, float]]] = {}
        for row in points:
            if row["benchmark"] == benchmark:
                curves.setdefault(row["kind"], []).append((int(row["tokens"]), float(row["accuracy"])))
        charts[f"emergence/{benchmark}"] = wandb.plot.line_series(
            xs=[[tokens for tokens, _ in curve] for curve in curves.values()],
            ys=[[accuracy for _, accuracy in curve] for curve in curves.values()],
            keys=list(curves),
            title=f"accuracy, {benchmark}",
            xname="tokens",
        )
    return charts


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    """The rows of a CSV or JSON-lines file; none if there is no such file."""
    if not file.is_file():
        return
    with open(file, encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines) if file.suffix == ".csv" else map(json.loads, lines)


def _table(rows: Sequence[Mapping[str, Any]]) -> "wandb.Table":
    import wandb

    columns: list[str | int] = list(dict.fromkeys(column for row in rows for column in row))
    data = [[row.get(str(column)) for column in columns] for row in rows[:LARGEST]]
    return wandb.Table(columns=columns, data=data, allow_mixed_types=True)
