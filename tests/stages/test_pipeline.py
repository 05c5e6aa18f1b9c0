"""The whole pipeline: the real dvc.yaml and conf/ on a tiny corpus, from raw text to the report."""

import csv
import json
import re
import shutil

import pytest
import yaml

TUNED = {"classify", "instruct"}
AFTER_TOKENIZE = {"tokenize", "pretrain", *TUNED, "evaluate", "report"}


@pytest.fixture(scope="module", autouse=True)
def as_it_was(project):
    """Leave the project as `dvc repro` made it, for the tests that run after these."""
    yield
    project.select()
    project.run("dvc", "repro")


def test_one_repro_makes_every_artifact(project) -> None:
    listed = yaml.safe_load((project.path / "dvc.lock").read_text())["stages"]
    places = [out["path"] for stage in listed.values() for out in stage.get("outs", [])]
    fetched = {f"fetch@{name}" for name in ("corpus", "benchmarks", "train_translator", *TUNED)}
    assert set(listed) == {
        "compose",
        *fetched,
        "weights",
        "train_tokenizer",
        "train_translator",
        *AFTER_TOKENIZE,
    }
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
    text = project.path / "data/raw/corpus/stories/rows.jsonl"
    kept = text.read_bytes()
    try:
        text.chmod(0o644)
        text.write_bytes(kept + b"\n")
        done = project.run("foundling", "verify", "model=models/base", succeeds=False)
    finally:
        text.write_bytes(kept)
    assert done.returncode == 1
    assert (
        "data/raw/corpus/stories/rows.jsonl differs from the hash in data/raw/corpus/meta.json" in done.stderr
    )


@pytest.mark.parametrize(
    ("stage", "metric"),
    [
        ("pretrain", "pretrain.val/loss"),
        ("classify", "classify.models.classifier.labels.spam.f1"),
        ("instruct", "instruct.tuned.kinds.all.accuracy"),
        ("train_translator", "train_translator.test.beam.bleu.score"),
    ],
)
def test_a_sweep_of_any_stage_becomes_a_table(project, stage, metric) -> None:
    sweep = project.path / "multirun" / stage / "2026-01-01_00-00-00"
    for job in ("0", "1"):
        (sweep / job / "metrics").mkdir(parents=True)
        shutil.copy(project.path / f"metrics/{stage}.json", sweep / job / "metrics")
    try:
        assert metric in project.run("foundling", "compare").stdout
    finally:
        shutil.rmtree(project.path / "multirun")


def test_a_second_repro_does_nothing(project) -> None:
    assert project.outdated() == set()


@pytest.mark.parametrize(
    ("changes", "stages"),
    [
        ({"set.corpus.split.validation": 0.2}, {"train_tokenizer", "tokenize"}),
        ({"set.corpus.sources.0.generate.megabytes": 0.3}, {"fetch@corpus", "train_tokenizer", "tokenize"}),
        ({"set.tokenizer.vocab_size": 500}, {"train_tokenizer", "tokenize"}),
        ({"model": "llama"}, {"pretrain"}),
        ({"weights": "openai_124m"}, {"weights", "pretrain"}),
        ({"optimizer": "adamw"}, {"pretrain"}),
        ({"schedule": "cosine"}, {"pretrain"}),
        ({"set.pretrain.max_steps": 13}, {"pretrain"}),
        ({"set.classify.epochs": 2}, {"classify"}),
        ({"set.classify.dataset.sources.0.generate.count": 100}, {"fetch@classify", "classify"}),
        ({"set.instruct.optimizer.lr": 0.001}, {"instruct"}),
        ({"set.instruct.dataset.sources.0.generate.count": 210}, {"fetch@instruct", "instruct"}),
        ({"set.train_translator.max_steps": 5}, {"train_translator"}),
        (
            {"set.train_translator.dataset.sources.0.generate.count": 210},
            {"fetch@train_translator", "train_translator"},
        ),
        ({"set.evaluate.samples.temperature": 0.1}, {"evaluate"}),
        ({"evaluate": "held_out"}, {"fetch@benchmarks", *TUNED, "evaluate"}),
        (
            {
                "set.runtime.log_every": 7,
                "set.runtime.logger.project": "other",
                "set.generate.temperature": 0.1,
            },
            set(),
        ),
        ({"set.predict.top": 2, "set.chat.temperature": 0.1, "set.export.format": "gguf"}, set()),
        ({"set.translate.beam": 2}, set()),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_a_change_touches_exactly_the_stages_that_read_it(project, changes: dict, stages: set[str]) -> None:
    project.select(changes)
    try:
        # the report shows the whole config
        assert project.outdated() == (stages | {"report"} if stages else set())
    finally:
        project.select()


@pytest.mark.parametrize(
    ("file", "old", "new", "stages"),
    [
        ("model/gpt.py", '"""', '"""To be read first: ', set()),
        ("training/budget.py", "\n\n\n", "\n\n\n# what comes next\n", set()),
        ("training/budget.py", "log = ", "BEFORE = 1\nlog = ", {"pretrain"}),
        ("data/pairs.py", "\n\n\n", "\nfrom foundling.training import budget\n\n\n", {"train_translator"}),
        ("reporting/base.html.j2", "<body>", "<body><hr>", {"report"}),
    ],
)
def test_changed_code_touches_exactly_the_stages_that_import_it(
    project, file: str, old: str, new: str, stages: set[str]
) -> None:
    path = project.path / "src/foundling" / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    try:
        assert project.outdated() == stages
    finally:
        path.write_text(text, encoding="utf-8")


def test_a_changed_evaluation_trains_nothing_anew(project) -> None:
    project.select({"set.evaluate.samples.count": 1})
    try:
        ran = re.findall("Running stage '(.*)'", project.run("dvc", "repro").stdout)
        assert ran == ["compose", "evaluate", "report"]
    finally:
        project.select()
