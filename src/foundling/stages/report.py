"""Put everything that was measured on one page: report/index.html."""

import csv
import json
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from foundling.artifacts import atomic_folder, read_json
from foundling.config import recipe
from foundling.reporting.figures import as_png, emergence
from foundling.reporting.page import Material, by_benchmark, page, words

METRICS, PLOTS = Path("metrics"), Path("plots")


def run(config: DictConfig, out: Path) -> None:
    """Write the page, and the first emergence curve as a picture for a README."""
    material = Material(
        config=recipe(config),
        data=read_json(METRICS / "data.json"),
        pretrain=read_json(METRICS / "pretrain.json"),
        run=read_json(METRICS / "pretrain_run.json"),
        evaluate=read_json(METRICS / "evaluate.json"),
        training=_read_csv(PLOTS / "pretrain.csv"),
        validation=_read_csv(PLOTS / "validation.csv"),
        emergence=_read_csv(PLOTS / "emergence.csv"),
        samples=_read_jsonl(PLOTS / "samples.jsonl"),
        training_samples=_read_jsonl(PLOTS / "training_samples.jsonl"),
        classify=read_json(METRICS / "classify.json"),
        classify_answers=_read_csv(PLOTS / "classify_answers.csv", numbers=("probability",)),
        classify_roc=_read_csv(PLOTS / "classify_roc.csv"),
        instruct=read_json(METRICS / "instruct.json"),
        answers=_read_jsonl(PLOTS / "answers.jsonl"),
        translator=read_json(METRICS / "translator.json"),
        translator_training=_read_csv(PLOTS / "translator.csv"),
        translator_validation=_read_csv(PLOTS / "translator_validation.csv"),
        translations=_read_jsonl(PLOTS / "translations.jsonl"),
        translator_looks=_read_jsonl(PLOTS / "translator_looks.jsonl"),
    )
    with atomic_folder(out / "report") as folder:
        (folder / "index.html").write_text(page(material), encoding="utf-8", newline="\n")
        for name, rows in list(by_benchmark(material.emergence).items())[:1]:
            (folder / "emergence.png").write_bytes(as_png(emergence(rows, words(name))))


def _read_csv(path: Path, numbers: tuple[str, ...] | None = None) -> list[dict[str, Any]]:
    """Rows with their numbers as numbers, or those of the columns `numbers` alone where others hold text."""
    with _open(path) as file:
        rows = csv.DictReader(file)
        return [{k: _number(v) if numbers is None or k in numbers else v for k, v in row.items()} for row in rows]


def _read_jsonl(path: Path) -> list[dict[str, Any]]:
    with _open(path) as file:
        return [json.loads(line) for line in file]


def _open(path: Path) -> Any:
    if not path.is_file():
        raise ValueError(f"{path} is missing; run the stage that makes it (`dvc repro` runs all that are needed)")
    return open(path, encoding="utf-8", newline="")


def _number(value: str) -> float | int | str:
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value
