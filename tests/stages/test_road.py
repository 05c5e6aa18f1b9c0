"""The user's road: the real dvc.yaml and conf/ on a tiny corpus, from raw text to the report."""

import csv
import json

import pytest
import yaml

AFTER_TOKENIZE = {"tokenize", "pretrain", "evaluate", "report"}


def test_one_repro_makes_every_artifact(project) -> None:
    listed = yaml.safe_load((project.path / "dvc.lock").read_text())["stages"]
    places = [out["path"] for stage in listed.values() for out in stage.get("outs", [])]
    assert set(listed) == {"compose", "fetch@corpus", "fetch@benchmarks", "tokenizer", *AFTER_TOKENIZE}
    assert all((project.path / place).exists() for place in places)
    with open(project.path / "plots/pretrain.csv") as file:
        losses = [float(row["train/loss"]) for row in csv.DictReader(file)]
    assert losses[-1] < losses[0]
    metrics = json.loads((project.path / "metrics/evaluate.json").read_text())
    reached = json.loads((project.path / "metrics/pretrain.json").read_text())
    assert metrics["held_out"]["val/loss"] == pytest.approx(reached["val/loss"], rel=1e-4)
    assert not list(project.path.rglob("*.part"))


def test_the_base_is_intact_from_the_raw_text_on_until_a_byte_is_changed(project) -> None:
    assert "models/base is intact: " in project.run("foundling", "verify", "model=models/base").stdout
    text = project.path / "data/raw/corpus/fables/rows.jsonl"
    kept = text.read_bytes()
    try:
        text.chmod(0o644)
        text.write_bytes(kept + b"\n")
        done = project.run("foundling", "verify", "model=models/base", succeeds=False)
    finally:
        text.write_bytes(kept)
    assert done.returncode == 1
    assert "is not intact: data/raw/corpus/fables/rows.jsonl is not what data/raw/corpus/meta.json" in done.stderr


def test_a_second_repro_does_nothing(project) -> None:
    assert project.outdated() == set()


@pytest.mark.parametrize(
    ("key", "value", "stages"),
    [
        ("set.corpus.split.validation", 0.2, {"tokenizer", *AFTER_TOKENIZE}),
        ("set.corpus.sources.0.generate.seed", 2, {"fetch@corpus", "tokenizer", *AFTER_TOKENIZE}),
        ("set.tokenizer.vocab_size", 500, {"tokenizer", *AFTER_TOKENIZE}),
        ("model", "llama", {"pretrain", "evaluate", "report"}),
        ("optimizer", "adamw", {"pretrain", "evaluate", "report"}),
        ("schedule", "cosine", {"pretrain", "evaluate", "report"}),
        ("set.pretrain.max_steps", 13, {"pretrain", "evaluate", "report"}),
        ("set.evaluate.samples.temperature", 0.1, {"evaluate", "report"}),
        ("evaluate", "held_out", {"fetch@benchmarks", "evaluate", "report"}),
        ("set.runtime.log_every", 7, set()),
        ("set.runtime.logger.project", "other", set()),
        ("set.generate.temperature", 0.1, set()),
    ],
)
def test_a_change_touches_exactly_the_stages_that_read_it(project, key: str, value: object, stages: set[str]) -> None:
    project.select({key: value})
    try:
        assert project.outdated() == stages
    finally:
        project.select()
