"""The translator stage raises a translator from pairs alone and measures it; equal settings give equal bytes."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from foundling import config
from foundling.artifacts import read_json, sha256
from foundling.data.fetching import fetch
from foundling.model.config import TranslatorConfig
from foundling.model.translator import Translator
from foundling.settings import Job
from foundling.stages import translator
from foundling.weights import folder

WORDS = {"one": "eins", "two": "zwei", "red": "rot", "fox": "Fuchs", "hen": "Huhn", "sees": "sieht"}
SMALL = [
    "translator=tsv",
    "translator.path=pairs.tsv",
    "transformer@translator.model=tiny",
    "translator.vocab_size=300",
    "translator.max_steps=6",
    "translator.batch_tokens=300",
    "translator.validate_every=3",
    "translator.split.test=0.1",
    "translator.test.extra=3",
    "runtime.progress=false",
    "logger=none",
    "trainer=cpu",
]
RESULTS = (
    "models/translator",
    "metrics/translator.json",
    "plots/translations.jsonl",
    "plots/translator_looks.jsonl",
    "plots/translator.csv",
    "plots/translator_validation.csv",
)


@pytest.fixture
def workspace(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with 211 pairs of five words, translated word by word."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf").symlink_to(root / "conf")
    said = list(itertools.product(WORDS.items(), repeat=5))[::37]
    rows = [" ".join(a for a, _ in words) + "\t" + " ".join(b for _, b in words) for words in said]
    (tmp_path / "pairs.tsv").write_text("\n".join(rows))
    fetch(config.section(compose(), "translator")["dataset"], tmp_path / "data/raw/translator", None)
    return tmp_path


def compose(*changes: str) -> Any:
    return config.compose([*SMALL, *changes])


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_it_writes_a_translator_its_metrics_and_its_translations(workspace: Path) -> None:
    reached = translator.run(Job(compose(), workspace / "job"))
    metrics = read_json(workspace / "job/metrics/translator.json")
    assert metrics["pairs"] == {"test": 21, "validation": 11, "train": 179, "tested": 21}
    assert set(metrics["test"]) == {"beam", "greedy", "nearest"}
    assert metrics["test"]["beam"]["bleu"]["score"] == reached
    assert metrics["test"]["nearest"]["chrf"]["score"] > 30
    assert "tok:13a" in metrics["signatures"]["bleu"]
    rows = lines(workspace / "job/plots/translations.jsonl")
    assert len(rows) == 21
    assert set(rows[0]) == {"source", "reference", "beam", "greedy", "nearest"}
    looks = lines(workspace / "job/plots/translator_looks.jsonl")
    assert [look["source"][-1] for look in looks] == ["■"] * 3
    assert all(sum(row) == pytest.approx(1, abs=1e-2) for look in looks for layer in look["layers"] for row in layer)
    network, tokenizer = folder.load_as(workspace / "job/models/translator", Translator, TranslatorConfig)
    assert network.config.vocab_size == tokenizer.vocab_size <= 300
    made = read_json(workspace / "job/models/translator" / folder.PROVENANCE)
    assert list(made["inputs"]) == ["data/raw/translator/meta.json"]
    assert made["parent"] is None
    assert made["metrics"]["val/loss"] == metrics["training"]["val/loss"]
    validated = (workspace / "job/plots/translator_validation.csv").read_text().splitlines()
    assert validated[0] == "step,tokens,val/loss,val/perplexity,val/bleu"
    assert len(validated) == 3
    assert not (workspace / "job/scratch/translator").exists()
    record = read_json(workspace / "job/metrics/translator_run.json")
    assert record["weights_sha256"] == sha256(workspace / "job/models/translator/model.safetensors")


def test_equal_settings_give_equal_bytes_and_another_seed_does_not(workspace: Path) -> None:
    for job, seed in (("one", 1), ("two", 1), ("three", 2)):
        translator.run(Job(compose(f"translator.seed={seed}", "translator.model.dropout=0.1"), workspace / job))
    for name in RESULTS:
        one, two, three = (sha256(workspace / job / name) for job in ("one", "two", "three"))
        assert one == two != three, name


def test_it_learns_to_translate_word_by_word(workspace: Path) -> None:
    changes = ["translator.max_steps=120", "translator.validate_every=120", "translator.model.n_embd=64"]
    assert translator.run(Job(compose(*changes), workspace)) > 60


def test_an_interrupted_run_leaves_the_old_translator(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    translator.run(Job(compose("translator.max_steps=2"), workspace))
    before = sha256(workspace / "models/translator")

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(translator, "score", interrupt)
    with pytest.raises(KeyboardInterrupt):
        translator.run(Job(compose("translator.max_steps=3"), workspace))
    assert sha256(workspace / "models/translator") == before


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("translator.path=other.tsv", "was fetched with other sources"),
        ("translator.test.beam=0", "beam=0: must be at least 1"),
        ("translator.label_smoothing=1.5", r"translator\.label_smoothing=1\.5; it is at least 0 and below 1"),
        ("translator.model.n_head=5", r"translator\.model\.n_embd=32: must be divisible by n_head=5"),
        ("translator.split.by=hand", r"found translator\.split\.by='hand'"),
    ],
)
def test_what_cannot_be_is_refused_before_any_training(workspace: Path, change: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        translator.run(Job(compose(change), workspace))
    assert not (workspace / "models").exists()
