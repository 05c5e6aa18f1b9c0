"""train_translator trains a translator from pairs and evaluates it; equal settings give equal bytes."""

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
from foundling.stages import train_translator
from foundling.weights import folder

WORDS = {"one": "eins", "two": "zwei", "red": "rot", "fox": "Fuchs", "hen": "Huhn", "sees": "sieht"}
SMALL = ["train_translator=tsv", "transformer@train_translator.model=tiny", "trainer=cpu", "logger=none"]
SMALL += ["runtime.progress=false"]
SETTINGS = ["path=pairs.tsv", "vocab_size=300", "max_steps=6", "batch_tokens=300", "validate_every=3"]
SETTINGS += ["split.test=0.1", "test.extra=3"]
RESULTS = (
    "models/translator",
    "metrics/train_translator.json",
    "plots/translations.jsonl",
    "plots/cross_attention.jsonl",
    "plots/train_translator.csv",
    "plots/train_translator_validation.csv",
)


@pytest.fixture
def workspace(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with 211 pairs of five words, translated word by word."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf").symlink_to(root / "conf")
    pairs = list(itertools.product(WORDS.items(), repeat=5))[::37]
    rows = [" ".join(a for a, _ in words) + "\t" + " ".join(b for _, b in words) for words in pairs]
    (tmp_path / "pairs.tsv").write_text("\n".join(rows))
    fetch(composed().settings.train_translator.dataset, tmp_path / "data/raw/train_translator", None)
    return tmp_path


def composed(*changes: str, out: Path = Path()) -> Job:
    """A job of SETTINGS and these changes of them."""
    settings = [f"train_translator.{setting}" for setting in (*SETTINGS, *changes)]
    return Job.of(config.compose([*SMALL, *settings]), out)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_it_writes_a_translator_its_metrics_and_its_translations(workspace: Path) -> None:
    out = workspace / "job"
    result = train_translator.run(composed(out=out))
    metrics = read_json(out / "metrics/train_translator.json")
    assert metrics["pairs"] == {"test": 21, "validation": 11, "train": 179, "tested": 21}
    assert set(metrics["test"]) == {"beam", "greedy", "nearest"}
    assert metrics["test"]["beam"]["bleu"]["score"] == result
    assert metrics["test"]["nearest"]["chrf"]["score"] > 30
    assert "tok:13a" in metrics["signatures"]["bleu"]
    rows = lines(out / "plots/translations.jsonl")
    assert len(rows) == 21
    assert set(rows[0]) == {"source", "reference", "beam", "greedy", "nearest"}
    maps = lines(out / "plots/cross_attention.jsonl")
    assert [each["source"][-1] for each in maps] == ["■"] * 3
    weights = [row for each in maps for layer in each["layers"] for row in layer]
    assert all(sum(row) == pytest.approx(1, abs=1e-2) for row in weights)
    network, tokenizer = folder.load_as(out / "models/translator", Translator, TranslatorConfig)
    assert network.config.vocab_size == tokenizer.vocab_size <= 300
    origin = read_json(out / "models/translator" / folder.PROVENANCE)
    assert list(origin["inputs"]) == ["data/raw/train_translator/meta.json"]
    assert origin["parent"] is None
    assert origin["metrics"]["val/loss"] == metrics["training"]["val/loss"]
    validation = (out / "plots/train_translator_validation.csv").read_text().splitlines()
    assert validation[0] == "step,tokens,val/loss,val/perplexity,val/bleu"
    assert len(validation) == 3
    assert not (out / "scratch/train_translator").exists()
    record = read_json(out / "metrics/train_translator_run.json")
    assert record["weights_sha256"] == sha256(out / "models/translator/model.safetensors")


def test_equal_settings_give_equal_bytes_and_another_seed_does_not(workspace: Path) -> None:
    for name, seed in (("one", 1), ("two", 1), ("three", 2)):
        train_translator.run(composed(f"seed={seed}", "model.dropout=0.1", out=workspace / name))
    for result in RESULTS:
        one, two, three = (sha256(workspace / name / result) for name in ("one", "two", "three"))
        assert one == two != three, result


def test_it_learns_to_translate_word_by_word(workspace: Path) -> None:
    assert train_translator.run(composed("max_steps=120", "validate_every=120", "model.n_embd=64")) > 60


def test_an_interrupted_run_leaves_the_old_translator(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_translator.run(composed("max_steps=2"))
    before = sha256(workspace / "models/translator")

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(train_translator, "nearest", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train_translator.run(composed("max_steps=3"))
    assert sha256(workspace / "models/translator") == before


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("path=other.tsv", "was fetched with other sources"),
        ("test.beam=0", "beam=0: must be at least 1"),
        ("model.n_head=5", r"train_translator\.model\.n_embd=32: must be divisible by n_head=5"),
        ("split.by=hand", r"train_translator\.split\.by='hand'"),
    ],
)
def test_invalid_settings_are_refused_before_training(workspace: Path, change: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        train_translator.run(composed(change))
    assert not (workspace / "models").exists()
