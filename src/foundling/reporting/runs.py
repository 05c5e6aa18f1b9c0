"""Read the results of runs, of any age: settings, metrics, curves, and which test items were right.

The files are read by their structure, not by today's schemas: numbers under dotted names, as
`dvc metrics diff` shows them, so that a run of a former version can be compared as far as its names match.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from foundling.reporting.reading import Row
from foundling.reporting.result_files import (
    Files,
    FolderFiles,
    open_files,
    read_object,
    read_rows,
    read_yaml_object,
)
from foundling.reporting.spread import value_with_bounds

STAGES = ("data", "pretrain", "evaluate", "classify", "instruct", "train_translator")
MODELS = ("base", "classifier", "chat", "translator")
RUN = "_run"  # metrics/*_run.json differ from run to run
# tables of plots/ with a curve, and its columns
CURVES = {
    "pretrain": ("train/loss",),
    "validation": ("val/loss", "val/bits_per_byte"),
    "classify": ("train/loss",),
    "classify_validation": ("val/loss", "val/accuracy"),
    "instruct": ("train/loss",),
    "instruct_validation": ("val/loss",),
    "train_translator": ("train/loss",),
    "train_translator_validation": ("val/loss", "val/bleu"),
}
Point = tuple[float, float, float]  # step, tokens, value


@dataclass(frozen=True)
class Measurement:
    """A number, with its interval over test items where the run recorded one."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Run:
    """The results of one run."""

    name: str
    commit: str
    settings: Mapping[str, JsonValue]  # by dotted names
    metrics: Mapping[str, Measurement]  # by dotted names
    curves: Mapping[str, Sequence[Point]]
    items: Mapping[str, Mapping[str, bool]]  # by test set: whether each item was right


def open_runs(place: str) -> list[Run]:
    """The runs of a folder (a checkout, a job, or a sweep of jobs), or of a git revision or experiment."""
    folder = Path(place).expanduser()
    if not folder.is_dir():
        return [read_run(open_files(place))]
    if (folder / "metrics").is_dir():
        return [read_run(FolderFiles(folder))]
    jobs = sorted((job for job in folder.glob("*/") if (job / "metrics").is_dir()), key=_by_number)
    if not jobs:
        raise ValueError(
            f"{place} has no results: no folder metrics/, nor jobs with one; name a project, a sweep such as "
            "multirun/pretrain/<time>, or one of its jobs"
        )
    return [read_run(FolderFiles(job)) for job in jobs]


def newest_sweep(folder: Path) -> Path:
    """The newest sweep: multirun/<command>/<time>."""
    sweeps = sorted(folder.glob("*/*/"), key=lambda path: path.name)
    if not sweeps:
        raise ValueError(
            f"{folder} has no sweep; name the runs, or run one, such as `foundling instruct -m seed=1,2,3`"
        )
    return sweeps[-1]


def read_run(files: Files) -> Run:
    """All results that there are; a file that cannot be read raises ValueError."""
    stages = [name.removesuffix(".json") for name in files.names("metrics") if name.endswith(".json")]
    stages.sort(key=lambda stage: (STAGES.index(stage) if stage in STAGES else len(STAGES), stage))
    if not stages:
        raise ValueError(f"{files.name} has no metrics/*.json; `dvc repro` there makes them")
    results = {stage: read_object(files, f"metrics/{stage}.json") for stage in stages}
    records = [results.pop(stage) for stage in stages if stage.endswith(RUN)]
    return Run(
        name=files.name,
        commit=next((str(record["commit"]) for record in records if record.get("commit")), ""),
        settings=_settings(files) or _overrides(records),
        metrics=dict(_measurements(results)),
        curves=_curves(files),
        items=_items(files),
    )


def leaves(values: Any, prefix: str = "") -> Iterator[tuple[str, JsonValue]]:
    """Dotted names and values of nested mappings and lists; a list of plain values stays whole."""
    if isinstance(values, dict) and values:
        for key, value in values.items():
            yield from leaves(value, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(values, list) and any(isinstance(value, dict) for value in values):
        yield from leaves({str(place): value for place, value in enumerate(values)}, prefix)
    else:
        yield prefix, values


def _settings(files: Files) -> dict[str, JsonValue]:
    """What the models were trained with, and for other sections what the project is composed to."""
    sections = read_yaml_object(files, "composed.yaml")
    if isinstance(files, FolderFiles):
        for model in MODELS:
            config = read_object(files, f"models/{model}/provenance.json").get("config")
            sections |= config if isinstance(config, dict) else {}
    return dict(leaves(sections)) if sections else {}


def _overrides(records: Sequence[Mapping[str, Any]]) -> dict[str, JsonValue]:
    """The recorded overrides of a job whose model was deleted."""
    overrides = records[0].get("overrides", []) if records else []
    return {key: value for key, _, value in (str(override).partition("=") for override in overrides)}


def _measurements(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Measurement]]:
    """The numbers of nested metrics; the bounds of an interval belong to the number next to them."""
    value_of = value_with_bounds(values)
    for key, value in values.items():
        name = f"{prefix}.{key}" if prefix else key
        if isinstance(value, dict):
            yield from _measurements(value, name)
        elif type(value) in (int, float) and not (value_of and key in ("low", "high")):
            bounds = (float(values["low"]), float(values["high"])) if key == value_of else (None, None)
            yield name, Measurement(float(value), *bounds)


def _curves(files: Files) -> dict[str, list[Point]]:
    found = {}
    for table, columns in CURVES.items():
        rows = read_rows(files, f"plots/{table}.csv")
        for column in columns:
            points = [_point(row, column) for row in rows if isinstance(row.get(column), int | float)]
            if points:
                found[f"{table}.{column}"] = points
    for row in read_rows(files, "plots/emergence.csv"):
        if row["kind"] == "all":
            found.setdefault(f"emergence.{row['benchmark']}", []).append(_point(row, "accuracy"))
    return found


def _point(row: Row, column: str) -> Point:
    return float(row["step"]), float(row["tokens"]), float(row[column])


def _items(files: Files) -> dict[str, dict[str, bool]]:
    """Whether each item of a test set was right, by the item's own text or a hash of it."""
    outcomes: dict[str, list[tuple[str, bool]]] = {}
    for row in read_rows(files, "plots/benchmark_answers.csv", numbers=("right",)):
        outcomes.setdefault(f"evaluate.{row['benchmark']}", []).append((row["item"], row["right"] == 1))
    for row in read_rows(files, "plots/classify_answers.csv", numbers=()):
        name = f"{row['actual']}: {row['text']}"
        outcomes.setdefault("classify", []).append((name, row["actual"] == row["predicted"]))
    for row in read_rows(files, "plots/answers.jsonl"):
        outcomes.setdefault("instruct", []).append((f"{row['prompt']}\n{row['expected']}", row["right"]))
    for row in read_rows(files, "plots/translations.jsonl"):
        name = f"{row['source']}\n{row['reference']}"
        outcomes.setdefault("train_translator", []).append((name, row["beam"] == row["reference"]))
    return {test: _numbered(found) for test, found in outcomes.items()}


def _numbered(outcomes: Sequence[tuple[str, bool]]) -> dict[str, bool]:
    """Outcomes by name; the second item with the same name has a 2 behind it."""
    seen: Counter[str] = Counter()
    named = {}
    for name, right in outcomes:
        seen[name] += 1
        named[name if seen[name] == 1 else f"{name} {seen[name]}"] = right
    return named


def _by_number(job: Path) -> tuple[int, str]:
    return (int(job.name), "") if job.name.isdigit() else (10**9, job.name)
