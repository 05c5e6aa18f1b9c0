"""The initial weights of a base model: random, from a model folder, or published by OpenAI or on Hugging Face."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from foundling.costs import parameters, require_memory
from foundling.model.config import GPTConfig
from foundling.model.gpt import GPT
from foundling.model.interface import LanguageModel
from foundling.model.meta import meta_model
from foundling.text.tokenizer import Tokenizer
from foundling.weights import folder, huggingface, huggingface_config, openai
from foundling.weights.architectures import FREE_FIELDS, differences
from foundling.weights.vocabulary import require_same

SCRATCH = "scratch"


def start(
    init_from: str, config: Any, tokenizer: Tokenizer, seed: int, make: Callable[[Any], LanguageModel] = GPT
) -> LanguageModel:
    """A model in training mode: made from `config` with random weights, or loaded from the folder `init_from`.

    A model folder has a shape of its own; published weights must have the shape `config`. Both must use the
    same tokenizer. ValueError says what does not match.
    """
    if init_from == SCRATCH:
        is_gpt = isinstance(config, GPTConfig)
        require_memory(sum(parameters(config).values()) if is_gpt else meta_model(make, config).parameter_count())
        torch.manual_seed(seed)
        return make(config)
    path = Path(init_from)
    if openai.is_checkpoint(path) or huggingface.is_checkpoint(path):
        if not isinstance(config, GPTConfig):
            raise ValueError(
                f"pretrain.init_from={init_from}: holds a GPT, and the model is not; choose weights={SCRATCH}"
            )
        return _load_published(path, config, tokenizer).train()
    huggingface.refuse_pickles(path)
    if not (path / folder.CONFIG).is_file():
        raise ValueError(
            f"pretrain.init_from={init_from}: must be {SCRATCH!r} or a folder with a model (no {folder.CONFIG} there); "
            "to fetch a model, choose weights=openai_124m or weights=huggingface and run `dvc repro`"
        )
    model, model_tokenizer = folder.load(path)
    if model_tokenizer.fingerprint != tokenizer.fingerprint:
        raise ValueError(
            f"{path} was trained with another tokenizer than data/tokenizer; tokenize with the model's own, "
            f"or set pretrain.init_from={SCRATCH}"
        )
    return model.train()


def _load_published(path: Path, config: GPTConfig, tokenizer: Tokenizer) -> GPT:
    """Load another project's weights, after comparing shape and vocabulary with the composed ones."""
    free = {name: getattr(config, name) for name in FREE_FIELDS}
    if openai.is_checkpoint(path):
        name, checkpoint = "openai", openai.read_config(path, free)
    else:
        name, checkpoint = huggingface_config.read_config(path, free)
    if differing := differences(config, checkpoint):
        raise ValueError(
            f"{path} has another shape than the model section: {folder.join_first(differing, ', ')}; choose the model "
            "that it is (model=gpt2_124m …, docs/models.md) or set these values"
        )
    require_same(path, tokenizer, checkpoint.vocab_size)
    if checkpoint.position == "rotary":
        checkpoint = replace(checkpoint, context=config.context)
    if name == "openai":
        return _without_spare_ids(openai.load_model(path, checkpoint), tokenizer.vocab_size)
    return _without_spare_ids(huggingface.load_model(path, name, checkpoint), tokenizer.vocab_size)


def _without_spare_ids(model: GPT, vocab_size: int) -> GPT:
    """The same model without the unused ids with which some checkpoints pad their vocabulary."""
    if vocab_size == model.config.vocab_size:
        return model
    state = model.state_dict()
    for name in {"token_embedding.weight", "output.weight"} & {*state}:
        state[name] = state[name][:vocab_size].clone()  # (V, C)
    smaller = meta_model(GPT, replace(model.config, vocab_size=vocab_size))
    smaller.load_state_dict(state, assign=True)
    smaller.make_tables()
    return smaller
