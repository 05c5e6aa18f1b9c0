"""One `dvc repro` is one group of W&B runs, whose artifacts lead from the corpus to the assistant."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

STAGES = {"train_tokenizer", "tokenize", "pretrain", "classify", "instruct", "train_translator", "evaluate"}
TABLE = "table-file"


@pytest.fixture(scope="module")
def runs(project: Any, wandb_records: Callable[[Path], Any]) -> dict[str, Any]:
    """The records of each stage's run."""
    found = {}
    for place in (project.path / "wandb").glob("offline-run-*"):
        records = wandb_records(place)
        found[records["run"][0]["job_type"]] = records
    return found


def merged(records: Any, kind: str) -> dict[str, Any]:
    """The config or the summary of a run after all updates."""
    values: dict[str, Any] = {}
    for record in records.get(kind, []):
        values |= record["update"]
    return values


def artifacts(records: Any, used: bool) -> dict[str, Any]:
    """The artifacts that a run has used or logged, without those of W&B's own tables."""
    return {
        record["name"]: record
        for record in records.get("artifact", [])
        if bool(record.get("use_after_commit")) == used and record["type"] != "run_table"
    }


def test_every_stage_that_computes_logs_a_run_of_one_group(runs: Any) -> None:
    assert set(runs) == STAGES
    groups = {records["run"][0]["run_group"] for records in runs.values()}
    assert len(groups) == 1
    assert groups.pop().startswith("default-")
    assert all(records["exit"][0].get("exit_code", 0) == 0 for records in runs.values())
    assert all(set(records["run"][0]["tags"]) == {"default", "fables", "micro"} for records in runs.values())


def test_a_runs_config_is_the_whole_recipe(project: Any, runs: Any) -> None:
    recipe = yaml.safe_load((project.path / "composed.yaml").read_text())
    for stage, records in runs.items():
        config = records["run"][0]["config"]["update"]
        assert {name: config[name] for name in recipe} == recipe
        assert config["stage"] == stage


@pytest.mark.parametrize("stage", sorted(STAGES - {"train_tokenizer", "tokenize", "evaluate"}))
def test_losses_have_tokens_as_their_axis_and_their_minimum_as_summary(runs: Any, stage: str) -> None:
    defined = {metric.get("name", metric.get("glob_name")): metric for metric in runs[stage]["metric"]}
    assert {defined[name]["step_metric"] for name in ("train/*", "val/*", "train/loss", "lr")} == {"tokens"}
    rows = [row["item"] for row in runs[stage]["history"]]
    losses = [row["train/loss"] for row in rows if "train/loss" in row]
    assert len(losses) > 1
    assert all("tokens" in row and "step" in row for row in rows if "train/loss" in row)
    assert merged(runs[stage], "summary")["train/loss"] == {"min": min(losses), "last": losses[-1]}


def test_the_metrics_of_each_stage_are_its_summary(project: Any, runs: Any) -> None:
    for stage, key in (
        ("pretrain", "val/loss"),
        ("evaluate", "held_out/val/loss"),
        ("classify", "models/classifier/accuracy"),
        ("instruct", "tuned/kinds/all/accuracy"),
        ("train_translator", "test/beam/bleu/score"),
    ):
        value = json.loads((project.path / f"metrics/{stage}.json").read_text())
        names = {"val/loss": ["val/loss"], "held_out/val/loss": ["held_out", "val/loss"]}.get(
            key, key.split("/")
        )
        for name in names:
            value = value[name]
        assert merged(runs[stage], "summary")[f"{stage}/{key}"] == value
    assert merged(runs["train_tokenizer"], "summary")["train_tokenizer/vocab_size"] == 600


@pytest.mark.parametrize(
    ("stage", "keys"),
    [
        ("tokenize", {"shards"}),
        ("pretrain", {"samples"}),
        ("classify", {"answers", "confusion_table", "roc_table"}),
        ("instruct", {"answers"}),
        ("train_translator", {"translations"}),
        (
            "evaluate",
            {"samples", *(f"emergence/fables_{name}_table" for name in ("continuations", "questions"))},
        ),
    ],
)
def test_texts_and_charts_are_tables(runs: Any, stage: str, keys: set[str]) -> None:
    values = merged(runs[stage], "summary")
    assert keys == {name.removesuffix("._type") for name, value in values.items() if value == TABLE}
    assert all(values[f"{key}.nrows"] > 0 for key in keys)


def test_artifacts_lead_from_the_corpus_to_the_assistant(runs: Any) -> None:
    logged = {name: stage for stage in runs for name in artifacts(runs[stage], used=False)}
    chain, name = [], "chat"
    while name in logged:
        stage = logged[name]
        used = artifacts(runs[stage], used=True)
        chain.append((name, stage))
        name = next(found for found in ("base", "tokens", "tokenizer", "corpus") if found in used)
    assert chain == [
        ("chat", "instruct"),
        ("base", "pretrain"),
        ("tokens", "tokenize"),
        ("tokenizer", "train_tokenizer"),
    ]
    assert name == "corpus"
    assert {"base", "snapshots"} <= set(artifacts(runs["evaluate"], used=True))
    assert set(artifacts(runs["evaluate"], used=False)) == {"evaluate-results"}


def test_what_a_stage_uses_is_what_another_has_logged(runs: Any) -> None:
    digests: dict[str, set[str]] = {}
    for records in runs.values():
        for used in (True, False):
            for name, record in artifacts(records, used).items():
                digests.setdefault(name, set()).add(record["digest"])
    assert all(len(found) == 1 for found in digests.values()), digests


def test_artifacts_have_the_hashes_of_dvc_and_contain_no_file(project: Any, runs: Any) -> None:
    from foundling.artifacts import sha256

    recorded = {}
    for stage in yaml.safe_load((project.path / "dvc.lock").read_text())["stages"].values():
        recorded |= {item["path"]: item["md5"] for part in ("deps", "outs") for item in stage.get(part, [])}
    seen = set()
    for records in runs.values():
        for used in (True, False):
            for record in artifacts(records, used).values():
                hashes = json.loads(record["metadata"])
                for path, md5 in hashes["dvc_md5"].items():
                    assert md5 == recorded[path], path
                    assert hashes["sha256"][path] == sha256(project.path / path), path
                    seen.add(path)
                assert all(entry["ref"].startswith("file://") for entry in record["manifest"]["contents"])
    assert {
        "data/raw/corpus",
        "data/tokens",
        "models/base",
        "models/translator",
        "metrics/evaluate.json",
    } <= seen
