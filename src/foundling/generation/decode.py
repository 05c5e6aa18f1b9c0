"""Text goes on token by token: ids in, an iterator of ids out, each as soon as it is drawn; or many texts at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

import torch

from foundling.generation.sampling import GREEDY, Sampling, sample
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


@dataclass(frozen=True)
class Completion:
    """What a model wrote after a prompt, and whether it ended by itself."""

    ids: list[int]
    stopped: bool


def complete(
    model: GPT, prompts: Sequence[list[int]], max_new_tokens: int, end_of_text: int, batch_size: int
) -> list[Completion]:
    """What `generate` writes after each prompt by taking the likeliest token, in the order of the prompts.

    Prompts of one length share a batch, so that nothing is padded and nothing masked: each row is computed as alone.
    """
    written: list[Completion | None] = [None] * len(prompts)
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    for _, alike in groupby(order, key=lambda i: len(prompts[i])):
        those = list(alike)
        for start in range(0, len(those), batch_size):
            chosen = those[start : start + batch_size]
            rows = _likeliest(model, torch.tensor([prompts[i] for i in chosen]), max_new_tokens, end_of_text)
            for i, row in zip(chosen, rows, strict=True):
                stopped = end_of_text in row
                written[i] = Completion(row[: row.index(end_of_text)] if stopped else row, stopped)
    return [one for one in written if one is not None]


@torch.inference_mode()
def _likeliest(model: GPT, window: torch.Tensor, max_new_tokens: int, end_of_text: int) -> list[list[int]]:
    """Go on from window (B, T) until each row has ended once, or to the length; what follows an end is to be cut."""
    context, device = model.config.context, next(model.parameters()).device
    window = window[:, -context:].to(device)
    fresh, cache = window, KVCache(model.config.n_layer)
    drawn: list[torch.Tensor] = []
    ended = torch.zeros(len(window), dtype=torch.bool, device=device)
    while len(drawn) < max_new_tokens and not ended.all():
        if window.size(1) > context:
            window = window[:, -max(1, context // 2) :]
            fresh, cache = window, KVCache(model.config.n_layer)
        fresh = sample(model.head(model.hidden(fresh, cache)[:, -1]), GREEDY).unsqueeze(1)  # (B, 1)
        window = torch.cat((window, fresh), dim=1)
        drawn.append(fresh)
        ended |= fresh.squeeze(1) == end_of_text
    return torch.cat(drawn, dim=1).tolist() if drawn else [[] for _ in window]


def continue_text(model: GPT, tokenizer: Coder, prompt: str, max_new_tokens: int, sampling: Sampling, seed: int) -> str:
    """The text that the model writes after a prompt; after an empty one it begins a document of its own."""
    ids = tokenizer.encode(prompt) if prompt else [tokenizer.end_of_text]
    return tokenizer.decode(list(generate(model, ids, max_new_tokens, sampling, tokenizer.end_of_text, seed)))
