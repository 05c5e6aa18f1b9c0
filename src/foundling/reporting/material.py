"""Everything that the report shows: the results of one run, or of several seeds as means with intervals."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from foundling.metrics import from_plain
from foundling.metrics.classify import Classify
from foundling.metrics.data import Data
from foundling.metrics.evaluate import Evaluate
from foundling.metrics.instruct import Instruct
from foundling.metrics.pretrain import Pretrain
from foundling.metrics.run import Run
from foundling.metrics.train_translator import TrainTranslator
from foundling.reporting.reading import Row
from foundling.reporting.result_files import Files, read_object, read_rows, read_yaml_object
from foundling.reporting.spread import merge, merge_rows
from foundling.settings import Recipe, Settings
from foundling.validation import build

T = TypeVar("T")
SHOWN_SETTINGS = ("corpus", "model", "pretrain", "evaluate")  # sections that the page describes
BY_STEP, BY_KIND = ("step",), ("step", "benchmark", "kind")


@dataclass(frozen=True)
class Material:
    """Everything that the page shows; empty parts are left out."""

    settings: Settings
    recipe: Recipe  # the same settings as plain values, without those that change no result
    data: Data
    pretrain: Pretrain
    run: Run  # of the pretraining
    evaluate: Evaluate
    training: Sequence[Row]  # plots/pretrain.csv
    validation: Sequence[Row]  # plots/validation.csv
    emergence: Sequence[Row]  # plots/emergence.csv
    samples: Sequence[Row]  # plots/samples.jsonl
    training_samples: Sequence[Row]  # plots/training_samples.jsonl
    classify: Classify | None = None
    classify_answers: Sequence[Row] = ()  # plots/classify_answers.csv
    classify_roc: Sequence[Row] = ()  # plots/classify_roc.csv
    instruct: Instruct | None = None  # metrics/instruct.json
    answers: Sequence[Row] = ()  # plots/answers.jsonl
    translator: TrainTranslator | None = None
    translator_training: Sequence[Row] = ()  # plots/train_translator.csv
    translator_validation: Sequence[Row] = ()  # plots/train_translator_validation.csv
    translations: Sequence[Row] = ()  # plots/translations.jsonl
    cross_attention: Sequence[Row] = ()  # plots/cross_attention.jsonl
    seeds: Sequence[tuple[str, str]] = ()  # of several runs: each run's seed and the hash of its base


def read_material(files: Files, settings: Settings, recipe: Recipe) -> Material:
    """The results of a pipeline run; a missing file raises ValueError with the stage that writes it."""
    return Material(
        settings=settings,
        recipe=recipe,
        data=_metrics(files, "data", Data),
        pretrain=_metrics(files, "pretrain", Pretrain),
        run=_metrics(files, "pretrain_run", Run),
        evaluate=_metrics(files, "evaluate", Evaluate),
        training=_rows(files, "pretrain.csv"),
        validation=_rows(files, "validation.csv"),
        emergence=_rows(files, "emergence.csv"),
        samples=_rows(files, "samples.jsonl"),
        training_samples=_rows(files, "training_samples.jsonl"),
        classify=_metrics(files, "classify", Classify),
        classify_answers=_rows(files, "classify_answers.csv", numbers=("probability",)),
        classify_roc=_rows(files, "classify_roc.csv"),
        instruct=_metrics(files, "instruct", Instruct),
        answers=_rows(files, "answers.jsonl"),
        translator=_metrics(files, "train_translator", TrainTranslator),
        translator_training=_rows(files, "train_translator.csv"),
        translator_validation=_rows(files, "train_translator_validation.csv"),
        translations=_rows(files, "translations.jsonl"),
        cross_attention=_rows(files, "cross_attention.jsonl"),
    )


def settings_of(files: Files, settings: Settings, recipe: Recipe) -> tuple[Settings, Recipe]:
    """The settings that a run was composed with, and as plain values; sections that are missing are ours."""
    recorded = read_yaml_object(files, "composed.yaml")
    types = get_type_hints(Settings, include_extras=True)
    sections: dict[str, Any] = {
        name: build(types[name], recorded[name], name) for name in SHOWN_SETTINGS if name in recorded
    }
    return replace(settings, **sections), recorded or recipe


def over_seeds(runs: Sequence[Material], seeds: Sequence[str]) -> Material:
    """Several seeds as one: means and intervals; texts, answers and attention are those of the first."""
    first = runs[0]
    merged: dict[str, Any] = {
        name: merge([getattr(run, name) for run in runs])
        for name in ("pretrain", "evaluate", "classify", "instruct", "translator")
    }
    tables: dict[str, Any] = {
        name: merge_rows([getattr(run, name) for run in runs], BY_KIND if name == "emergence" else BY_STEP)
        for name in ("training", "validation", "emergence", "translator_training", "translator_validation")
    }
    hashes = [run.run.weights_sha256 for run in runs]
    return replace(first, **merged, **tables, seeds=list(zip(seeds, hashes, strict=True)))


def _metrics(files: Files, stage: str, schema: type[T]) -> T:
    path = f"metrics/{stage}.json"
    _require(files, path)
    return from_plain(read_object(files, path), schema, path)


def _rows(files: Files, name: str, numbers: tuple[str, ...] | None = None) -> Sequence[Row]:
    _require(files, f"plots/{name}")
    return read_rows(files, f"plots/{name}", numbers)


def _require(files: Files, path: str) -> None:
    if files.read(path) is None:
        raise ValueError(
            f"{Path(files.name) / path} is missing; run the stage that writes it (`dvc repro` runs all "
            "stages that are needed)"
        )
