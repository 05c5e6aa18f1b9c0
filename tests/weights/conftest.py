"""A chain from a text over tokenizer, tokens and base to a chat model, each made by the code that the stages call."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from foundling.artifacts import sha256
from foundling.data.corpora import Document
from foundling.data.fetching import fetch
from foundling.data.shards import write
from foundling.model.gpt import GPT
from foundling.text.tokenizer import END_OF_TEXT, GPT2_PATTERN, Tokenizer
from foundling.weights import folder
from foundling.weights.chat import save_chat
from foundling.weights.provenance import provenance

RECIPE = {
    "corpus": {"name": "tales", "sources": [{"name": "fox"}]},
    "pretrain": {"max_steps": 7, "seed": 3, "optimizer": {"_target_": "foundling.training.optim.muon", "lr": 0.02}},
    "instruct": {"dataset": {"name": "tasks", "sources": [{"name": "one"}]}, "method": "lora", "max_steps": 9},
}


@pytest.fixture
def chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gpt_config: Callable[..., Any]) -> Path:
    """A project's folder with data/, models/base and models/chat."""
    monkeypatch.chdir(tmp_path)
    Path("fox.txt").write_text("The fox went home.\n")
    for name in ("corpus", "instruct"):
        fetch({"name": name, "sources": [{"name": "fox", "path": "fox.txt"}]}, Path("data/raw") / name, None)
    tokenizer = Tokenizer({bytes([i]): i for i in range(256)}, GPT2_PATTERN, [END_OF_TEXT])
    tokenizer.save(Path("data/tokenizer"))
    read = (Path("data/raw/corpus/meta.json"), Path("data/tokenizer"))
    text = [Document("fox", "train", "The fox went home.")]
    inputs = {str(path): sha256(path) for path in read}
    write(text, tokenizer, Path("data/tokens"), {"fox": 1.0}, {}, "auto", inputs)
    torch.manual_seed(0)
    model = GPT(gpt_config("micro", vocab_size=tokenizer.vocab_size))
    made = provenance(RECIPE, [Path("data/tokens/meta.json"), Path("data/tokenizer")], None, {"val/loss": 5.5})
    folder.save(Path("models/base"), model, tokenizer, made)
    made = provenance(
        RECIPE, [Path("data/raw/instruct/meta.json")], Path("models/base"), {"val/loss": 4.25, "steps": 9}
    )
    save_chat(Path("models/chat"), model, tokenizer, made, "phi3", None)
    return tmp_path
