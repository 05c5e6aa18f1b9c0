"""Translate sentences by beam search with a length penalty; a beam of 1 is greedy decoding.

Shapes: B sentences, K beams, N = B·K rows, S source tokens, T tokens written so far, V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from foundling.model.kv_cache import KVCache
from foundling.model.translator import Translator
from foundling.settings.generation import BeamSearch
from foundling.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Hypothesis:
    """A translation without its end token, its normalized score, and whether it reached the end token."""

    ids: list[int]
    score: float
    stopped: bool


def translate(
    model: Translator, tokenizer: Tokenizer, texts: Sequence[str], search: BeamSearch
) -> tuple[list[str], int]:
    """Translate texts; returns the translations, and how many texts were truncated to the model's context.

    Texts of similar length share a batch of at most `search.batch_tokens` source tokens, including padding
    and all beams. The translation of a blank text is empty.
    """
    end, longest = tokenizer.end_of_text, model.config.context - 1
    encoded = [tokenizer.encode(" ".join(text.split())) for text in texts]
    rows = [[*ids[:longest], end] for ids in encoded]
    translations = [""] * len(texts)
    nonblank = [i for i, ids in enumerate(encoded) if ids]
    remaining = sorted(nonblank, key=lambda i: len(rows[i]), reverse=True)
    while remaining:
        size = max(1, search.batch_tokens // (len(rows[remaining[0]]) * search.beam))
        batch, remaining = remaining[:size], remaining[size:]
        hypotheses = beam_search(model, [rows[i] for i in batch], end, search)
        for i, hypothesis in zip(batch, hypotheses, strict=True):
            translations[i] = tokenizer.decode(hypothesis.ids).strip()
    return translations, sum(len(ids) > longest for ids in encoded)


@torch.inference_mode()
def beam_search(
    model: Translator, rows: Sequence[Sequence[int]], end: int, search: BeamSearch, cached: bool = True
) -> list[Hypothesis]:
    """The hypothesis with the best normalized score for each row of source ids.

    Extends the K most likely partial translations of each sentence until K hypotheses have ended; finished
    sentences are removed from the batch. `cached=False` recomputes the whole translation for every token, as
    a reference to test the cache against.
    """
    k, device = search.beam, next(model.parameters()).device
    lengths = torch.tensor([len(row) for row in rows], device=device)
    limits = (lengths + search.extra).clamp(max=model.config.context)  # (B,)
    source = pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=end)  # (B, S)
    memory, mask = (
        encoded.repeat_interleave(k, dim=0) for encoded in model.encode(source.to(device), lengths)
    )  # (N, S, C), (N, 1, 1, S)
    written = torch.full((len(rows) * k, 1), end, device=device)  # (N, 1 + T)
    scores = torch.full((len(rows), k), float("-inf"), device=device)  # (B, K)
    scores[:, 0] = 0.0  # all beams are equal at first, so only one is extended
    cache = KVCache(model.config.n_decoder, cross=True) if cached else None
    hypotheses: list[list[Hypothesis]] = [[] for _ in rows]
    active = list(range(len(rows)))  # the unfinished sentences, in the order of the batch
    while active:
        log_p = _next_log_probabilities(model, written, memory, mask, cache)  # (N, V)
        scores, parents, tokens = _best_extensions(scores, log_p, 2 * k)  # (B, 2K) each
        is_end = tokens == end
        at_limit = written.size(1) >= limits[active]  # (B,)
        ended = (is_end | at_limit[:, None])[:, :k] & (scores[:, :k] != float("-inf"))  # (B, K)
        for row, rank in ended.nonzero().tolist():
            ids = [*written[parents[row, rank], 1:].tolist(), int(tokens[row, rank])]
            hypotheses[active[row]].append(_hypothesis(ids, float(scores[row, rank]), end, search))
        stay = [row for row, i in enumerate(active) if len(hypotheses[i]) < k and not at_limit[row]]
        # Each beam has only one extension by the end token, so at least K of 2K do not end: keep the best of
        # those.
        kept = is_end[stay].int().argsort(dim=1, stable=True)[:, :k]  # (B, K)
        scores, parents, tokens = (values[stay].gather(1, kept) for values in (scores, parents, tokens))
        active, selected = [active[row] for row in stay], parents.flatten()  # (N,)
        if not torch.equal(selected, torch.arange(len(written), device=device)):
            written, memory, mask = written[selected], memory[selected], mask[selected]
            if cache is not None:
                cache.select(selected)
        written = torch.cat((written, tokens.view(-1, 1)), dim=1)
    return [max(ended, key=lambda one: (one.stopped, one.score)) for ended in hypotheses]


def _next_log_probabilities(
    model: Translator, written: Tensor, memory: Tensor, mask: Tensor, cache: KVCache | None
) -> Tensor:
    """Log-probabilities (N, V) of the next token, for written (N, 1 + T)."""
    new = written if cache is None else written[:, -1:]
    logits = model.head(model.decode(new, memory, mask, cache)[:, -1])  # (N, V)
    return logits.float().log_softmax(-1)


def _best_extensions(scores: Tensor, log_p: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """The best `count` one-token extensions of each sentence's beams, from scores (B, K) and log_p (N, V).

    Returns their log-probabilities, the rows (0 to N - 1) that they extend, and their tokens, each (B,
    count).
    """
    b, k = scores.shape
    totals = (scores.view(-1, 1) + log_p).view(b, -1)  # (B, K·V)
    values, indices = totals.topk(count, dim=1)
    first_rows = k * torch.arange(b, device=scores.device)[:, None]  # (B, 1)
    return values, indices // log_p.size(1) + first_rows, indices % log_p.size(1)


def _hypothesis(ids: list[int], log_p: float, end: int, search: BeamSearch) -> Hypothesis:
    """A translation that ends with the end token or at the length limit, with its log-probability.

    The score is log_p / ((5 + length) / 6)^penalty (Wu et al. 2016, eq. 14).
    """
    score = log_p / ((5 + len(ids)) / 6) ** search.length_penalty
    stopped = ids[-1] == end
    return Hypothesis(ids[:-1] if stopped else ids, score, stopped)
