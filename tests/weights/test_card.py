"""The card describes the folder, in equal bytes for equal models, without a time, path or commit."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from foundling.artifacts import read_json, sha256
from foundling.model.classifier import Classifier
from foundling.model.config import ClassifierConfig, TranslatorConfig
from foundling.model.translator import Translator
from foundling.weights import folder

CHAT = Path("models/chat")


def test_the_card_tells_what_it_is_made_of(chain: Path) -> None:
    text = (CHAT / "README.md").read_text()
    model = folder.load_model(CHAT)
    made = read_json(CHAT / "provenance.json")
    assert text.startswith("---\nlibrary_name: foundling\n")
    for part in (
        "# An assistant that follows instructions",
        f"{model.parameter_count():,} parameters: 2 layers of width 32, 2 heads, a context of 64 tokens",
        "foundling chat model=",
        "| val/loss | 4.2500 |",
        "| pretrain | tales | fox |",
        "| instruct | tasks | one |",
        "| method | lora |",
        f"| models/base | {sha256(Path('models/base'))} |",
        f"| model.safetensors | {made['files']['model.safetensors']} |",
    ):
        assert part in text
    base = Path("models/base/README.md").read_text()
    assert "# A language model" in base
    assert "| optimizer | muon (lr=0.02) |" in base
    assert "instruct" not in base


def test_the_recorded_hashes_are_those_of_all_other_files(chain: Path) -> None:
    files = read_json(CHAT / "provenance.json")["files"]
    others = {f.relative_to(CHAT).as_posix() for f in CHAT.rglob("*") if f.is_file()} - {
        "provenance.json",
        "README.md",
    }
    assert files == {name: sha256(CHAT / name) for name in others}


def test_no_time_place_or_commit_stands_in_the_folder(chain: Path) -> None:
    for name in ("README.md", "provenance.json", "config.json", "chat.json"):
        text = (CHAT / name).read_text()
        assert str(chain) not in text
        assert os.uname().nodename not in text.split()
        assert not re.search(r"\b20\d\d-\d\d-\d\d|\b[0-9a-f]{40}\b", text)


def test_equal_models_have_equal_folders(chain: Path) -> None:
    model, tokenizer = folder.load(CHAT)
    made = {k: v for k, v in read_json(CHAT / "provenance.json").items() if k != "files"}
    beside = {"chat.json": read_json(CHAT / "chat.json")}
    folder.save(Path("elsewhere/again"), model, tokenizer, made, beside)
    assert sha256(Path("elsewhere/again")) == sha256(CHAT)


def test_a_translators_card_names_both_its_halves(tmp_path: Path, root: Path) -> None:
    shape = yaml.safe_load((root / "conf/transformer/tiny.yaml").read_text())
    network = Translator(TranslatorConfig(vocab_size=50, **shape))
    made = {
        "config": {
            "train_translator": {
                "dataset": {"name": "pairs", "sources": [{"name": "en"}]},
                "batch_tokens": 64,
            }
        }
    }
    folder.save(tmp_path / "m", network, None, made)
    text = (tmp_path / "m/README.md").read_text()
    layers = f"{shape['n_encoder']} + {shape['n_decoder']} layers of width {shape['n_embd']}"
    for part in (
        "# A sentence translator",
        f"encoder–decoder Transformer of {network.parameter_count():,} parameters: {layers}",
    ):
        assert part in text
    assert "| train_translator | pairs | en |" in text
    assert "| batch_tokens | 64 |" in text
    assert "pretrain" not in text


@pytest.mark.parametrize("labels", [("ham", "spam"), ("a|b", "c", "d")])
def test_a_classifiers_card_names_its_labels(
    tmp_path: Path, gpt_config: Callable[..., Any], labels: tuple[str, ...]
) -> None:
    network = Classifier(ClassifierConfig(gpt_config("micro"), labels, "end"))
    folder.save(tmp_path / "m", network, None, {"config": {}})
    text = (tmp_path / "m/README.md").read_text()
    assert "# A text classifier" in text
    assert f"Its labels: {', '.join(labels)}." in text
    assert 'foundling predict text="…" model=' in text
