"""The classify stage fine-tunes a base, compares it with baselines, and reports unreadable input."""

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from foundling import config
from foundling.artifacts import read_json, sha256
from foundling.data.encoded_texts import encode
from foundling.data.fetching import fetch
from foundling.evaluation import forgetting
from foundling.evaluation.classification import probabilities
from foundling.model.classifier import Classifier
from foundling.model.config import ClassifierConfig
from foundling.model.gpt import GPT
from foundling.settings import Job
from foundling.stages import classify
from foundling.text.tiktoken_tokenizer import GPT2_PATTERN, TiktokenTokenizer
from foundling.training import frozen
from foundling.training.callbacks import KeepBest
from foundling.weights import folder

TOKENIZER = TiktokenTokenizer({bytes([i]): i for i in range(256)}, GPT2_PATTERN)
SECTIONS = ("corpus", "tokenizer", "model", "pretrain")
SMALL = [
    "classify=files",
    "classify.path=texts.csv",
    "classify.epochs=2",
    "classify.batch_size=8",
    "classify.zero_shot.limit=5",
    "classify.forgetting.tokens=200",
    "evaluate=held_out",
    "runtime.progress=false",
    "logger=none",
    "trainer=cpu",
]
RESULTS = (
    "models/classifier",
    "metrics/classify.json",
    "plots/classify.csv",
    "plots/classify_validation.csv",
    "plots/classify_answers.csv",
    "plots/classify_roc.csv",
)


@pytest.fixture
def workspace(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gpt_config: Callable[..., Any]
) -> Path:
    """A project with a base, tokens, and eighty labelled texts of which one is too long."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf").symlink_to(root / "conf")
    rows = [(f"win prize {n}" if n % 2 else f"see you {n}", "spam" if n % 2 else "ham") for n in range(80)]
    rows[7] = ("win " * 30, "spam")
    with open("texts.csv", "w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    fetch_texts()
    made_with = make_job().recipe
    torch.manual_seed(0)
    base = GPT(gpt_config("micro", vocab_size=TOKENIZER.vocab_size, context=32, init="gpt2"))
    folder.save(classify.BASE, base, TOKENIZER, {"config": {name: made_with[name] for name in SECTIONS}})
    ids = np.frombuffer(b"the fox went home. " * 20, dtype=np.uint8).astype(np.uint16)
    tokens = SimpleNamespace(validation=[SimpleNamespace(name="tiny", ids=ids, bytes=len(ids))])
    monkeypatch.setattr(forgetting, "open_tokens", lambda place, fingerprint: tokens)
    return tmp_path


def make_job(*changes: str, out: Path | None = None) -> Job:
    return Job.of(config.compose([*SMALL, *changes]), out or Path())


def interrupt(*arguments: Any) -> None:
    raise KeyboardInterrupt


def fetch_texts() -> None:
    shutil.rmtree("data/raw/classify", ignore_errors=True)
    fetch(make_job().settings.classify.dataset, Path("data/raw/classify"), None)


@pytest.mark.parametrize("train", ["head", "last", "all", "lora"])
def test_it_writes_a_classifier_its_metrics_and_its_answers(workspace: Path, train: str) -> None:
    loss = classify.run(
        make_job(f"classify.train={train}", "classify.class_weights=balanced", out=workspace / "job")
    )
    metrics = read_json(workspace / "job/metrics/classify.json")
    assert metrics["texts"] == {
        "read": 80,
        "missing": 0,
        "duplicates": 0,
        "contradicting": 0,
        "left_out_files": 0,
        "train": 56,
        "validation": 8,
        "test": 16,
        "truncated": 1,
    }
    assert list(metrics["models"]) == [
        "classifier",
        "majority",
        "word_tfidf_logistic",
        "char_tfidf_svm",
        "zero_shot",
    ]
    assert {name: found["n"] for name, found in metrics["models"].items()} == {
        name: 5 if name == "zero_shot" else 16 for name in metrics["models"]
    }
    assert metrics["training"]["best"]["val/loss"] == loss
    before, after = (metrics["forgetting"][when]["val/loss"] for when in ("before", "after"))
    assert (before == after) == (train == "head")
    network, tokenizer = folder.load_as(workspace / "job/models/classifier", Classifier, ClassifierConfig)
    assert network.config.labels == ("ham", "spam")
    assert tokenizer.fingerprint == TOKENIZER.fingerprint
    made = read_json(workspace / "job/models/classifier" / folder.PROVENANCE)
    assert made["parent"] == {"models/base": sha256(classify.BASE)}
    assert made["metrics"]["val/loss"] == loss
    with open(workspace / "job/plots/classify_answers.csv", newline="") as file:
        answers = list(csv.DictReader(file))
    right = sum(row["actual"] == row["predicted"] for row in answers) / len(answers)
    assert right == metrics["models"]["classifier"]["accuracy"]
    assert not (workspace / "job/scratch/classify").exists()


@pytest.mark.parametrize(("train", "blocks"), [("head", 1), ("last", 1), ("all", 1), ("last", 2)])
def test_a_classifier_has_the_first_blocks_the_pooling_and_the_template_that_it_was_trained_with(
    workspace: Path, train: str, blocks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forgetting, "open_tokens", None)  # a base without all its blocks writes no text
    template = "{text}: spam?"
    changes = [f"blocks={blocks}", "last=1", "pooling=mean", f"template='{template}'", f"train={train}"]
    classify.run(make_job(*(f"classify.{change}" for change in changes), out=workspace))
    made, tokenizer = folder.load_as(workspace / "models/classifier", Classifier, ClassifierConfig)
    assert (made.config.pooling, made.config.template) == ("mean", template)
    assert (len(made.trunk.blocks), made.trunk.config.n_layer) == (blocks, blocks)
    base, _ = folder.load(classify.BASE)
    is_tuned = {
        name: not torch.equal(p, base.get_parameter(name)) for name, p in made.trunk.named_parameters()
    }
    assert any(is_tuned.values()) == (train != "head")
    assert read_json(workspace / "metrics/classify.json")["forgetting"] is None
    with open(workspace / "plots/classify_answers.csv", newline="") as file:
        answers = list(csv.DictReader(file))
    rows, _ = encode(tokenizer, [row["text"] for row in answers], 32, "beginning", template)
    expected = probabilities(made, rows, 512)
    assert [row["predicted"] for row in answers] == [made.config.labels[i] for i in expected.argmax(1)]
    np.testing.assert_allclose([float(row["probability"]) for row in answers], expected.max(1), atol=2e-4)


def test_equal_settings_give_equal_bytes(workspace: Path) -> None:
    for job in ("one", "two"):
        classify.run(make_job(out=workspace / job))
    for name in RESULTS:
        assert sha256(workspace / "one" / name) == sha256(workspace / "two" / name), name


def test_many_labels_need_no_curve(workspace: Path) -> None:
    rows = [(f"{'abc'[n % 3] * 5} {n}", "abc"[n % 3]) for n in range(60)]
    with open("texts.csv", "w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    fetch_texts()
    classify.run(make_job("classify.max_steps=4", "classify.zero_shot.limit=0", out=Path()))
    models = read_json("metrics/classify.json")["models"]
    assert set(models) == {"classifier", "majority", "word_tfidf_logistic", "char_tfidf_svm"}
    assert list(models["classifier"]["labels"]) == ["a", "b", "c"]
    assert len(Path("plots/classify_roc.csv").read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (["classify.label=topic"], "texts.csv:2 of source files has no column 'topic'"),
        (["classify.train=some"], "classify.train='some': must be one of head, last, all or lora"),
        (["classify.keep=middle"], "classify.keep=.middle.: must be one of beginning or end"),
        (["model=small"], "models/base was made with model"),
        (["classify.baselines=[forest]"], r"classify.baselines.0='forest': must be one of majority"),
        (["classify.epochs=0"], "classify.epochs=0: must be at least one step"),
        (["classify.blocks=9"], "classify.blocks=9: must be at most 2, the number of the base's blocks"),
        (["classify.blocks=0"], "classify.blocks=0: must be at least 1"),
        (["classify.pooling=max"], "classify.pooling='max': must be one of last or mean"),
        (["classify.template='Spam?'"], r"classify.template='Spam\?': must contain {text} exactly once"),
        (
            ["classify.template='{text} is from a conversation, I think'"],
            "in the template '{text} is from a conversation, I think'",
        ),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(workspace: Path, changes: list[str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        classify.run(make_job(*changes, out=workspace))
    assert not (workspace / "models/classifier").exists()
    assert not (workspace / "metrics").exists()


def test_an_interrupted_run_leaves_the_old_classifier(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    classify.run(make_job("classify.max_steps=2", out=workspace))
    before = sha256(workspace / "models/classifier")

    monkeypatch.setattr(classify, "probabilities", interrupt)
    with pytest.raises(KeyboardInterrupt):
        classify.run(make_job("classify.max_steps=3", out=workspace))
    assert sha256(workspace / "models/classifier") == before


@pytest.mark.parametrize("train", ["head", "last"])
def test_a_killed_training_finds_the_states_of_frozen_blocks_again(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, train: str
) -> None:
    job = make_job(f"classify.train={train}", "classify.last=1", out=workspace)
    classify.run(job)
    expected = {name: sha256(workspace / name) for name in RESULTS}
    shutil.rmtree("scratch")
    with monkeypatch.context() as patched:
        patched.setattr(KeepBest, "on_validation_end", interrupt)
        with pytest.raises(SystemExit):  # Lightning's answer to KeyboardInterrupt
            classify.run(job)
    assert len(list(Path("scratch/frozen").iterdir())) == 1
    monkeypatch.setattr(frozen, "_compute", interrupt)
    classify.run(job)
    assert {name: sha256(workspace / name) for name in RESULTS} == expected
    classify.run(make_job(f"classify.train={train}", "classify.last=1", "classify.seed=2", out=workspace))
    with pytest.raises(KeyboardInterrupt):
        classify.run(
            make_job(f"classify.train={train}", "classify.last=1", "classify.keep=end", out=workspace)
        )


def test_seeds_of_balanced_texts_share_the_states_of_all_texts(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [(f"win prize {n}", "spam") if n % 4 == 0 else (f"see you {n}", "ham") for n in range(80)]
    with open("texts.csv", "w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    fetch_texts()
    changes = ["classify.train=head", "classify.cache_frozen=all", "classify.zero_shot.limit=0"]
    classify.run(make_job(*changes, out=workspace))
    monkeypatch.setattr(frozen, "_compute", interrupt)
    for seed in (1, 2):
        classify.run(make_job(*changes, "classify.balance=true", f"classify.seed={seed}", out=workspace))
    assert read_json("metrics/classify.json")["texts"]["train"] < 40
    with pytest.raises(KeyboardInterrupt):
        changes = [change for change in changes if "cache" not in change]
        classify.run(make_job(*changes, "classify.balance=true", "classify.seed=1", out=workspace))
