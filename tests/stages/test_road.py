"""The user's road: the real dvc.yaml and conf/ on a tiny corpus, from raw text to the report."""

import csv
import json

import pytest
import yaml

TUNED = {"classify", "instruct"}
AFTER_TOKENIZE = {"tokenize", "pretrain", *TUNED, "evaluate", "report"}


def test_one_repro_makes_every_artifact(project) -> None:
    listed = yaml.safe_load((project.path / "dvc.lock").read_text())["stages"]
    places = [out["path"] for stage in listed.values() for out in stage.get("outs", [])]
    fetched = {f"fetch@{name}" for name in ("corpus", "benchmarks", *TUNED)}
    assert set(listed) == {"compose", *fetched, "tokenizer", *AFTER_TOKENIZE}
    assert all((project.path / place).exists() for place in places)
    with open(project.path / "plots/pretrain.csv") as file:
        losses = [float(row["train/loss"]) for row in csv.DictReader(file)]
    assert losses[-1] < losses[0]
    metrics = json.loads((project.path / "metrics/evaluate.json").read_text())
    reached = json.loads((project.path / "metrics/pretrain.json").read_text())
    assert metrics["held_out"]["val/loss"] == pytest.approx(reached["val/loss"], rel=1e-4)
    assert not list(project.path.rglob("*.part"))


def test_a_second_repro_does_nothing(project) -> None:
    assert project.outdated() == set()


@pytest.mark.parametrize(
    ("key", "value", "stages"),
    [
        ("set.corpus.split.validation", 0.2, {"tokenizer", *AFTER_TOKENIZE}),
        ("set.corpus.sources.0.generate.seed", 2, {"fetch@corpus", "tokenizer", *AFTER_TOKENIZE}),
        ("set.tokenizer.vocab_size", 500, {"tokenizer", *AFTER_TOKENIZE}),
        ("model", "llama", {"pretrain", *TUNED, "evaluate", "report"}),
        ("optimizer", "adamw", {"pretrain", *TUNED, "evaluate", "report"}),
        ("schedule", "cosine", {"pretrain", *TUNED, "evaluate", "report"}),
        ("set.pretrain.max_steps", 13, {"pretrain", *TUNED, "evaluate", "report"}),
        ("set.evaluate.samples.temperature", 0.1, {"evaluate", "report"}),
        ("evaluate", "held_out", {"fetch@benchmarks", *TUNED, "evaluate", "report"}),
        ("set.instruct.test.max_new_tokens", 5, {"instruct", "report"}),
        ("set.instruct.optimizer.lr", 0.001, {"instruct", "report"}),
        ("set.instruct.dataset.sources.0.generate.count", 210, {"fetch@instruct", "instruct", "report"}),
        ("set.classify.epochs", 2, {"classify", "report"}),
        ("set.classify.train", "lora", {"classify", "report"}),
        ("set.classify.dataset.sources.0.generate.count", 100, {"fetch@classify", "classify", "report"}),
        ("set.predict.top", 2, set()),
        ("set.runtime.log_every", 7, set()),
        ("set.runtime.logger.project", "other", set()),
        ("set.generate.temperature", 0.1, set()),
        ("set.chat.temperature", 0.1, set()),
    ],
)
def test_a_change_touches_exactly_the_stages_that_read_it(project, key: str, value: object, stages: set[str]) -> None:
    project.select({key: value})
    try:
        assert project.outdated() == stages
    finally:
        project.select()
