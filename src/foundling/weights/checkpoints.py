"""Checkpoints that other projects published, whatever their format: OpenAI's, Hugging Face's or GGUF."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from foundling.costs import parameters
from foundling.memory import require_memory
from foundling.model.config import GPTConfig
from foundling.model.gpt import GPT
from foundling.model.meta import meta_model
from foundling.weights import gguf_import, huggingface, huggingface_config, openai


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose shape has been read."""

    path: Path
    family: str  # gpt2, llama, qwen3 …
    config: GPTConfig
    load_as: Callable[[GPTConfig, torch.dtype], GPT]

    def load(self, context: int, vocab_size: int, dtype: torch.dtype = torch.float32) -> GPT:
        """The model, in evaluation mode, for a context that is not longer than the checkpoint's.

        Ids from `vocab_size` on, with which some checkpoints pad their vocabulary, are removed.
        """
        count = sum(parameters(self.config).values())
        require_memory(count, f"the model in {self.path}", dtype.itemsize)
        config = replace(self.config, context=context) if self.config.position == "rotary" else self.config
        return _without_spare_ids(self.load_as(config, dtype), vocab_size)


def open_checkpoint(path: Path, free: Mapping[str, Any] | None = None) -> Checkpoint | None:
    """The checkpoint at a path; None if there is none.

    `free` are chosen values of the fields that a checkpoint does not fix (architectures.FREE). Without them
    they are those of FREE or, where Foundling itself exported the checkpoint, those that it had.

    ValueError says what our model does not support of it. No tensor is read.
    """
    free = free or {}
    if openai.is_checkpoint(path):
        shape = openai.read_config(path, free)
        return Checkpoint(path, "gpt2", shape, partial(openai.load_model, path))
    if huggingface.is_checkpoint(path):
        name, shape = huggingface_config.read_config(path, free)
        return Checkpoint(path, name, shape, partial(huggingface.load_model, path, name))
    if file := gguf_import.open_file(path):
        name, shape = gguf_import.read_config(file, free)
        return Checkpoint(path, name, shape, partial(gguf_import.load_model, file, name))
    return None


def _without_spare_ids(model: GPT, vocab_size: int) -> GPT:
    """The same model without the ids from `vocab_size` on."""
    if vocab_size == model.config.vocab_size:
        return model
    state = model.state_dict()
    for name in {"token_embedding.weight", "output.weight"} & {*state}:
        state[name] = state[name][:vocab_size]  # (V, C), a view: a copy would need the memory twice
    smaller = meta_model(GPT, replace(model.config, vocab_size=vocab_size))
    smaller.load_state_dict(state, assign=True)
    smaller.make_tables()
    return smaller
