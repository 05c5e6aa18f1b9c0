"""The initial weights of a base model: random, from a model folder, or published by others."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from foundling.costs import parameters
from foundling.memory import require_memory
from foundling.model.config import GPTConfig
from foundling.model.gpt import GPT
from foundling.model.interface import LanguageModel
from foundling.model.meta import meta_model
from foundling.text.tokenizer import Tokenizer
from foundling.weights import folder, huggingface
from foundling.weights.architectures import FREE, differences
from foundling.weights.checkpoints import Checkpoint, open_checkpoint
from foundling.weights.checks import join_first
from foundling.weights.vocabulary import require_same

SCRATCH = "scratch"


def start(
    init_from: str, config: Any, tokenizer: Tokenizer, seed: int, make: Callable[[Any], LanguageModel] = GPT
) -> LanguageModel:
    """A model in training mode: made from `config` with random weights, or loaded from the folder
    `init_from`.

    A model folder has a shape of its own; published weights must have the shape `config`. Both must use the
    same tokenizer. ValueError says what does not match.
    """
    if init_from == SCRATCH:
        is_gpt = isinstance(config, GPTConfig)
        require_memory(
            sum(parameters(config).values()) if is_gpt else meta_model(make, config).parameter_count()
        )
        torch.manual_seed(seed)
        return make(config)
    path = Path(init_from)
    free = {name: getattr(config, name) for name in FREE} if isinstance(config, GPTConfig) else {}
    if checkpoint := open_checkpoint(path, free):
        if not isinstance(config, GPTConfig):
            raise ValueError(
                f"pretrain.init_from={init_from}: holds a GPT, and the model is not; choose weights={SCRATCH}"
            )
        return _load_published(checkpoint, config, tokenizer).train()
    huggingface.refuse_pickles(path)
    if not (path / folder.CONFIG).is_file():
        raise ValueError(
            f"pretrain.init_from={init_from}: must be {SCRATCH!r}, a GGUF file or a folder with a model (no "
            f"{folder.CONFIG} there); to fetch a model, choose weights=openai_124m or weights=huggingface "
            "and run `dvc repro`"
        )
    model, model_tokenizer = folder.load(path)
    if model_tokenizer.fingerprint != tokenizer.fingerprint:
        raise ValueError(
            f"{path} was trained with another tokenizer than data/tokenizer; tokenize with the model's own, "
            f"or set pretrain.init_from={SCRATCH}"
        )
    return model.train()


def _load_published(checkpoint: Checkpoint, config: GPTConfig, tokenizer: Tokenizer) -> GPT:
    """Load another project's weights, after comparing shape and vocabulary with the composed ones."""
    if differing := differences(config, checkpoint.config):
        raise ValueError(
            f"{checkpoint.path} has another shape than the model section: "
            f"{join_first(differing, ', ')}; choose the model that it is (model=gpt2_124m …, "
            "docs/models.md) or set these values"
        )
    require_same(checkpoint.path, tokenizer, checkpoint.config.vocab_size)
    return checkpoint.load(config.context, tokenizer.vocab_size)
