"""Text goes on token by token: ids in, an iterator of ids out, each as soon as it is drawn."""

from collections.abc import Iterator
from typing import Protocol

import torch

from foundling.generation.sampling import Sampling, sample
from foundling.model.gpt import GPT
from foundling.model.kv_cache import KVCache


class Coder(Protocol):
    """What decoding needs of a tokenizer."""

    end_of_text: int

    def encode(self, text: str) -> list[int]:
        """Ids of a text."""

    def decode(self, ids: list[int]) -> str:
        """Text of ids."""


@torch.inference_mode()
def generate(
    model: GPT,
    ids: list[int],
    max_new_tokens: int,
    sampling: Sampling,
    end_of_text: int | None = None,
    seed: int = 0,
    cached: bool = True,
) -> Iterator[int]:
    """Yield up to `max_new_tokens` ids that follow `ids`, and stop in front of `end_of_text`.

    With the cache each token costs one position. A text that outgrows the context goes on from its last half, read
    anew. `cached=False` reads the whole window for every token: the plain way, which the cached one must equal.
    """
    if not ids:
        raise ValueError("there is nothing to go on from; begin with the end-of-text token to start a document")
    device = next(model.parameters()).device
    random = torch.Generator(device).manual_seed(seed)
    context = model.config.context
    window = ids[-context:]
    fresh, cache = window, KVCache(model.config.n_layer)
    for _ in range(max_new_tokens):
        if len(window) > context:
            window = window[-max(1, context // 2) :]
            fresh, cache = window, KVCache(model.config.n_layer)
        read = torch.tensor([fresh if cached else window], device=device)  # (1, T)
        hidden = model.hidden(read, cache if cached else None)[:, -1]  # (1, C)
        token = int(sample(model.head(hidden), sampling, random))
        if token == end_of_text:
            return
        yield token
        window, fresh = [*window, token], [token]


def continue_text(model: GPT, tokenizer: Coder, prompt: str, max_new_tokens: int, sampling: Sampling, seed: int) -> str:
    """The text that the model writes after a prompt; after an empty one it begins a document of its own."""
    ids = tokenizer.encode(prompt) if prompt else [tokenizer.end_of_text]
    return tokenizer.decode(list(generate(model, ids, max_new_tokens, sampling, tokenizer.end_of_text, seed)))
