"""Continuing text: token by token as a stream, or many prompts at once by greedy decoding."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

import torch

from foundling.generation.sampling import GREEDY, Sampling, sample
from foundling.model.gpt import GPT
from foundling.model.kv_cache import KVCache


class Coder(Protocol):
    """The part of a tokenizer that decoding uses."""

    end_of_text: int

    def encode(self, text: str) -> list[int]:
        """The ids of a text."""

    def decode(self, ids: list[int]) -> str:
        """The text of ids."""


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
    """Yield up to `max_new_tokens` ids that follow `ids`, stopping before `end_of_text`.

    A text that outgrows the context is continued from its last half, which is read again. `cached=False`
    recomputes the whole window for every token: the reference for the cached path.
    """
    if not ids:
        raise ValueError("the prompt is empty; to start a document, pass the end-of-text token")
    device = next(model.parameters()).device
    generator = torch.Generator(device).manual_seed(seed)
    context = model.config.context
    window = ids[-context:]
    new, cache = window, KVCache(model.config.n_layer)  # new: the tokens that are not in the cache
    for _ in range(max_new_tokens):
        if len(window) > context:
            window = window[-max(1, context // 2) :]
            new, cache = window, KVCache(model.config.n_layer)
        inputs = torch.tensor([new if cached else window], device=device)  # (1, T)
        hidden = model.hidden(inputs, cache if cached else None)[:, -1]  # (1, C)
        token = int(sample(model.head(hidden), sampling, generator))
        if token == end_of_text:
            return
        yield token
        window, new = [*window, token], [token]


@dataclass(frozen=True)
class Completion:
    """The continuation of a prompt, and whether it ended with the end-of-text token."""

    ids: list[int]
    stopped: bool


def complete(
    model: GPT, prompts: Sequence[list[int]], max_new_tokens: int, end_of_text: int, batch_size: int
) -> list[Completion]:
    """Greedy continuations of the prompts, equal to those of `generate`.

    Only prompts of equal length share a batch, so that there is neither padding nor masking.
    """
    completions: dict[int, Completion] = {}
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    for _, group in groupby(order, key=lambda i: len(prompts[i])):
        equally_long = list(group)
        for start in range(0, len(equally_long), batch_size):
            batch = equally_long[start : start + batch_size]
            rows = _greedy(model, torch.tensor([prompts[i] for i in batch]), max_new_tokens, end_of_text)
            for i, row in zip(batch, rows, strict=True):
                stopped = end_of_text in row
                completions[i] = Completion(row[: row.index(end_of_text)] if stopped else row, stopped)
    return [completions[i] for i in range(len(prompts))]


@torch.inference_mode()
def _greedy(model: GPT, window: torch.Tensor, max_new_tokens: int, end_of_text: int) -> list[list[int]]:
    """Continue window (B, T) until every row has ended or is full; rows may have tokens after the end token."""
    context, device = model.config.context, next(model.parameters()).device
    window = window[:, -context:].to(device)
    new, cache = window, KVCache(model.config.n_layer)
    written: list[torch.Tensor] = []
    ended = torch.zeros(len(window), dtype=torch.bool, device=device)
    while len(written) < max_new_tokens and not ended.all():
        if window.size(1) > context:
            window = window[:, -max(1, context // 2) :]
            new, cache = window, KVCache(model.config.n_layer)
        new = sample(model.head(model.hidden(new, cache)[:, -1]), GREEDY).unsqueeze(1)  # (B, 1)
        window = torch.cat((window, new), dim=1)
        written.append(new)
        ended |= new.squeeze(1) == end_of_text
    return torch.cat(written, dim=1).tolist() if written else [[] for _ in window]


def continue_text(model: GPT, tokenizer: Coder, prompt: str, max_new_tokens: int, sampling: Sampling, seed: int) -> str:
    """The text with which the model continues a prompt; after an empty one it starts a new document."""
    ids = tokenizer.encode(prompt) if prompt else [tokenizer.end_of_text]
    return tokenizer.decode(list(generate(model, ids, max_new_tokens, sampling, tokenizer.end_of_text, seed)))
