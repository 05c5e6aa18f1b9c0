"""Continue text: one prompt as a stream of tokens, or a batch of prompts by greedy decoding."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice, takewhile

import torch
from torch import Tensor

from foundling.generation.sampling import GREEDY, RepetitionGuard, Sampling, sample
from foundling.model.interface import LanguageModel
from foundling.text.tokenizer import Tokenizer


@torch.inference_mode()
def generate(
    model: LanguageModel,
    ids: list[int],
    max_new_tokens: int,
    sampling: Sampling,
    ends: Collection[int] = (),
    seed: int = 0,
    cached: bool = True,
) -> Iterator[int]:
    """Yield up to `max_new_tokens` ids that follow `ids`, stopping before the first of `ends`."""
    if not ids:
        raise ValueError("the prompt is empty; to start a document, pass the end-of-text token")
    device = next(model.parameters()).device
    generator = torch.Generator(device).manual_seed(seed)
    guard = RepetitionGuard.of(sampling)
    tokens = _next_tokens(model, torch.tensor([ids], device=device), sampling, generator, cached, guard)
    for token in map(int, islice(tokens, max_new_tokens)):
        if token in ends:
            return
        if guard is not None:
            guard.append(token)
        yield token


def _next_tokens(
    model: LanguageModel,
    window: Tensor,
    sampling: Sampling,
    generator: torch.Generator | None = None,
    cached: bool = True,
    guard: RepetitionGuard | None = None,
) -> Iterator[Tensor]:
    """Yield the next token (B,) of each row of window (B, T), endlessly; a guard is that of a single row.

    When the window exceeds the context, only its last half is kept and encoded again. `cached=False`
    recomputes the whole window for every token, as for a model without a cache: the reference to test the
    cache against.
    """
    context = model.config.context
    window = window[:, -context:]
    new, cache = window, model.new_cache() if cached else None  # new: the tokens that are not in the cache
    while True:
        if window.size(1) > context:
            window = window[:, -max(1, context // 2) :]
            new, cache = window, model.new_cache() if cached else None
        hidden = model.hidden(window if cache is None else new, cache)  # (B, T, C)
        logits = model.head(hidden[:, -1])  # (B, V)
        tokens = sample(logits if guard is None else guard.apply(logits), sampling, generator)  # (B,)
        yield tokens
        new = tokens.unsqueeze(1)  # (B, 1)
        window = torch.cat((window, new), dim=1)


@dataclass(frozen=True)
class Completion:
    """The continuation of a prompt, and whether it ended with a token that ends it."""

    ids: list[int]
    stopped: bool


def complete(
    model: LanguageModel,
    prompts: Sequence[list[int]],
    max_new_tokens: int,
    ends: Collection[int],
    batch_size: int,
) -> list[Completion]:
    """Greedy continuations of the prompts up to one of `ends`, equal to those of `generate`.

    Only prompts of equal length share a batch, so that there is neither padding nor masking.
    """
    completions: dict[int, Completion] = {}
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    for _, group in groupby(order, key=lambda i: len(prompts[i])):
        equally_long = list(group)
        for start in range(0, len(equally_long), batch_size):
            batch = equally_long[start : start + batch_size]
            rows = _greedy(model, torch.tensor([prompts[i] for i in batch]), max_new_tokens, ends)
            for i, row in zip(batch, rows, strict=True):
                written = list(takewhile(lambda token: token not in ends, row))
                completions[i] = Completion(written, stopped=len(written) < len(row))
    return [completions[i] for i in range(len(prompts))]


@torch.inference_mode()
def _greedy(
    model: LanguageModel, window: Tensor, max_new_tokens: int, ends: Collection[int]
) -> list[list[int]]:
    """Continue window (B, T) until each row has ended, or to the limit; tokens may follow an end token."""
    window = window.to(next(model.parameters()).device)
    ended = torch.zeros(len(window), dtype=torch.bool, device=window.device)
    end_ids = torch.tensor(list(ends), device=window.device)
    written = window[:, :0]
    for tokens in islice(_next_tokens(model, window, GREEDY), max_new_tokens):
        written = torch.cat((written, tokens.unsqueeze(1)), dim=1)
        ended |= torch.isin(tokens, end_ids)
        if ended.all():
            break
    return written.tolist()


def continue_text(
    model: LanguageModel,
    tokenizer: Tokenizer,
    prompt: str,
    max_new_tokens: int,
    sampling: Sampling,
    seed: int,
) -> str:
    """The model's continuation of a prompt, which is the beginning of a document."""
    ids = tokenizer.encode_document(prompt)
    written = generate(model, ids, max_new_tokens, sampling, tokenizer.ends, seed)
    return tokenizer.decode_bytes(list(written)).decode(errors="replace")
