"""Where a base model begins: from scratch, or from a model folder."""

from pathlib import Path
from typing import Any

import torch

from foundling.model.gpt import GPT, GPTConfig
from foundling.text.tokenizer import Tokenizer
from foundling.weights import folder

SCRATCH = "scratch"


def start(init_from: str, model: dict[str, Any], tokenizer: Tokenizer, seed: int) -> GPT:
    """A fresh GPT of the composed `model` section, or the one in folder `init_from`, which must share the tokenizer."""
    if init_from == SCRATCH:
        torch.manual_seed(seed)
        return GPT(GPTConfig(vocab_size=tokenizer.vocab_size, **model))
    path = Path(init_from)
    if not (path / folder.CONFIG).is_file():
        raise ValueError(
            f"pretrain.init_from={init_from} is neither {SCRATCH!r} nor a model folder (one with {folder.CONFIG})"
        )
    network, own = folder.load(path)
    if own.fingerprint != tokenizer.fingerprint:
        raise ValueError(
            f"{path} was trained with another tokenizer than data/tokenizer; tokenize with the model's own, "
            f"or begin with pretrain.init_from={SCRATCH}"
        )
    return network.train()
