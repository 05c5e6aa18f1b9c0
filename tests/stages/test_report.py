"""The report stage writes one page from the outputs of the other stages, and names missing ones."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from foundling.evaluation.classification import Predictions
from foundling.evaluation.comparison import compare
from foundling.metrics import to_plain
from foundling.settings import Job
from foundling.stages.report import run

MIRROR = "runtime.mirror=/a/path/that/no/page/may/show"
PLACE = {"step": 10, "tokens": 5120}
KIND = {"n": 40, "accuracy": 0.5, "low": 0.35, "high": 0.65, "chance": 0.25}


def instructed() -> dict[str, Any]:
    """Metrics of a tuning."""
    scores = KIND | {"exact": 0.5, "stopped": 1.0, "rouge_l": 0.5, "chrf": 50.0}
    del scores["chance"]
    model = {
        "rouge_l": {"mean": 0.5, "low": 0.4, "high": 0.6},
        "signatures": {},
        "kinds": {"all": scores},
        "answer_loss": 3.0,
        "forgetting": {"val/loss": 3.0, "val/perplexity": 20.0, "benchmarks": {}},
        "judge": None,
    }
    examples = {"train": 5, "validation": 2, "test": 2}
    turn = {name: scores[name] for name in ("n", "accuracy", "low", "high")}
    both = {"base": model, "tuned": model | {"turns": [turn, turn]}}
    return {"dataset": "mine", "examples": examples, "changes": {}, "checks": "exact"} | both


@pytest.fixture
def workspace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: Path, classify_metrics: Callable[..., Any]
) -> Path:
    """A folder with conf/ and the metrics and plots of a small run."""
    monkeypatch.chdir(tmp_path)
    Path("conf").symlink_to(root / "conf")
    predictions = {"classifier": Predictions(np.array([0, 0]), None)}
    classify = classify_metrics(compare(np.array([0, 1]), ["0", "1"], predictions))  # labels that are digits
    json_files: dict[str, Any] = {
        "data": {"vocab_size": 300, "rows": [], "changes": [], "left_out_files": {}},
        "pretrain": {
            "val/loss": 3.0,
            "val/perplexity": 20.0,
            "val/bits_per_byte": 1.5,
            "tokens": 5120,
            "parameters": 50_000,
        },
        "pretrain_run": {
            "weights_sha256": "ab" * 32,
            "commit": None,
            "dirty": None,
            "overrides": [],
            "python": "3.11",
            "machine": "Linux",
            "device": "CPU",
            "seconds": {"training": 3.0, "whole": 4.0},
            "tokens_per_second": 1700,
            "wandb": None,
        },
        "evaluate": {
            "held_out": {"val/loss": 3.0, "val/perplexity": 20.0, "val/bits_per_byte": 1.5, "tokens": 99},
            "benchmarks": {"arc_easy": {"measure": "likelihood", "truncated": 0, "kinds": {"all": KIND}}},
        },
        "classify": to_plain(classify),
        "instruct": instructed(),
        "train_translator": {
            "dataset": "mine",
            "pairs": {"train": 9, "validation": 3, "test": 3, "tested": 3},
            "changes": {},
            "training": {
                "val/loss": 3.0,
                "val/perplexity": 20.0,
                "val/bleu": 20.0,
                "parameters": 5,
                "steps": 6,
                "epochs": 2.0,
                "tokens": 70,
            },
            "test": {},
            "search": {"beam": 4, "length_penalty": 0.6, "extra": 50},
            "signatures": {"bleu": "a", "chrf": "b"},
        },
    }
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots/answers.jsonl").write_text("")
    tables = {
        "pretrain": [PLACE | {"train/loss": 3.1, "lr": 1e-3, "grad_norm": 0.5}],
        "validation": [PLACE | {"val/loss": 3.0, "val/perplexity": 20.0, "val/bits_per_byte": 1.5}],
        "classify_answers": [
            {"actual": "0", "predicted": "0", "probability": 0.9, "text": "7"},
            {"actual": "1", "predicted": "0", "probability": 0.6, "text": "Free entry"},
        ],
        "train_translator": [PLACE | {"train/loss": 3.1}],
        "train_translator_validation": [PLACE | {"val/loss": 3.0, "val/bleu": 20.0}],
        "classify_roc": [{"model": "classifier", "false_positive_rate": 0, "true_positive_rate": 0.5}],
        "emergence": [PLACE | {"val/loss": 3.0, "benchmark": "arc_easy", "kind": "all"} | KIND],
    }
    (tmp_path / "metrics").mkdir()
    for name, values in json_files.items():
        (tmp_path / "metrics" / f"{name}.json").write_text(json.dumps(values))
    for name, rows in tables.items():
        with open(tmp_path / "plots" / f"{name}.csv", "w", newline="") as file:
            table = csv.DictWriter(file, list(rows[0]))
            table.writeheader()
            table.writerows(rows)
    for name in ("answers", "translations", "cross_attention"):
        (tmp_path / "plots" / f"{name}.jsonl").write_text("")
    for name in ("samples", "training_samples"):
        sample = PLACE | {"prompt": "Once", "text": " there was a fox", "seed": 1}
        (tmp_path / "plots" / f"{name}.jsonl").write_text(json.dumps(sample) + "\n")
    return tmp_path


def test_writes_the_page_and_the_picture_below_out(workspace: Path, job: Callable[..., Job]) -> None:
    run(job(MIRROR, out=workspace / "job"))
    html = (workspace / "job/report/index.html").read_text(encoding="utf-8")
    assert "arc easy" in html
    assert " there was a fox" in html
    assert "1 predicted as 0 (1)" in html
    assert "no/page/may/show" not in html
    assert (workspace / "job/report/emergence.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_without_snapshots_has_no_picture(workspace: Path, job: Callable[..., Job]) -> None:
    header = (workspace / "plots/emergence.csv").read_text().splitlines()[0]
    (workspace / "plots/emergence.csv").write_text(header + "\n")
    run(job())
    assert [file.name for file in (workspace / "report").iterdir()] == ["index.html"]


@pytest.mark.parametrize("missing", ["metrics/evaluate.json", "plots/validation.csv", "plots/samples.jsonl"])
def test_a_missing_input_is_named(workspace: Path, job: Callable[..., Job], missing: str) -> None:
    (workspace / missing).unlink()
    with pytest.raises(ValueError, match=f"{missing} is missing; run the stage"):
        run(job())
    assert not (workspace / "report").exists()


def test_a_report_of_several_seeds_has_means_with_intervals(workspace: Path, job: Callable[..., Job]) -> None:
    for seed, loss in ((1, 3.0), (2, 2.0)):
        copy = workspace / f"seed{seed}"
        for folder in ("metrics", "plots"):
            shutil.copytree(workspace / folder, copy / folder)
        recipe = job(f"pretrain.seed={seed}").recipe
        (copy / "composed.yaml").write_text(yaml.safe_dump({"pretrain": recipe["pretrain"]}))
        metrics = json.loads((copy / "metrics/evaluate.json").read_text())
        metrics["held_out"]["val/loss"] = loss
        (copy / "metrics/evaluate.json").write_text(json.dumps(metrics))
    run(job("report.runs=[seed1,seed2]"))
    html = (workspace / "outputs/report/index.html").read_text(encoding="utf-8")
    assert "means over 2 runs (seeds 1, 2)" in html
    assert "-3.853 to 8.853" in html  # 2.5 ± 12.706 × 0.5
    assert not (workspace / "report").exists()
    with pytest.raises(
        ValueError, match="must be two or more runs of one commit that differ only in their seeds"
    ):
        run(job("report.runs=[seed1,seed1]"))
