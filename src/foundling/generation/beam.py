"""Sentences in, their translations out: greedy decoding, or a beam search with a length penalty.

Shapes: B sentences, K beams, N = B·K rows, T tokens written so far, V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from foundling.generation.decode import Coder
from foundling.model.kv_cache import KVCache
from foundling.model.translator import Translator


@dataclass(frozen=True)
class Search:
    """The settings of a translation's decoding."""

    beam: int  # hypotheses per sentence; 1 is greedy decoding
    length_penalty: float  # 0 is none; larger values favour longer translations
    extra: int  # how many tokens a translation may be longer than its source

    def __post_init__(self) -> None:
        if self.beam < 1:
            raise ValueError(f"beam={self.beam}: must be at least 1 (greedy decoding); 4 is usual")
        if self.length_penalty < 0:
            raise ValueError(f"length_penalty={self.length_penalty}: must be at least 0 (none); 0.6 is usual")

    def normalised(self, score: float, length: int) -> float:
        """log p(translation) / ((5 + length) / 6)^penalty (Wu et al. 2016, eq. 14)."""
        return score / ((5 + length) / 6) ** self.length_penalty


@dataclass(frozen=True)
class Hypothesis:
    """A translation without its end token, its normalised score, and whether it reached the end token."""

    ids: list[int]
    score: float
    stopped: bool


def translate(
    model: Translator, tokenizer: Coder, texts: Sequence[str], search: Search, batch_tokens: int
) -> tuple[list[str], int]:
    """The translation of each text, and how many texts were truncated to the model's context.

    Texts of similar length share a batch of at most `batch_tokens` source tokens, counting padding and beams.
    The translation of a blank text is empty.
    """
    end, longest = tokenizer.end_of_text, model.config.context - 1
    encoded = [tokenizer.encode(" ".join(text.split())) for text in texts]
    rows = [[*ids[:longest], end] for ids in encoded]
    translations = [""] * len(texts)
    nonblank = [i for i, ids in enumerate(encoded) if ids]
    remaining = sorted(nonblank, key=lambda i: len(rows[i]), reverse=True)
    while remaining:
        size = max(1, batch_tokens // (len(rows[remaining[0]]) * search.beam))
        batch, remaining = remaining[:size], remaining[size:]
        hypotheses = search_all(model, [rows[i] for i in batch], end, search)
        for i, hypothesis in zip(batch, hypotheses, strict=True):
            translations[i] = tokenizer.decode(hypothesis.ids).strip()
    return translations, sum(len(ids) > longest for ids in encoded)


def search_all(
    model: Translator, rows: Sequence[Sequence[int]], end: int, search: Search, cached: bool = True
) -> list[Hypothesis]:
    """The best hypothesis for each row of source ids, by greedy decoding or beam search."""
    device = next(model.parameters()).device
    lengths = torch.tensor([len(row) for row in rows], device=device)
    source = torch.full((len(rows), int(lengths.max())), end, device=device)
    for i, row in enumerate(rows):
        source[i, : len(row)] = torch.tensor(row)
    decode = greedy if search.beam == 1 else beam_search
    return decode(model, source, lengths, end, search, cached)


@torch.inference_mode()
def greedy(
    model: Translator, source: Tensor, lengths: Tensor, end: int, search: Search, cached: bool = True
) -> list[Hypothesis]:
    """Append the most likely token until it is the end token, for source (B, S) with real lengths (B,).

    `cached=False` recomputes the whole translation for every token: the reference for the cached path.
    """
    memory, mask = model.encode(source, lengths)
    limits = (lengths + search.extra).clamp(max=model.config.context)  # (B,)
    written = torch.full_like(source[:, :1], end)  # (B, 1 + T)
    scores = torch.zeros(len(source), device=source.device)
    ended = torch.zeros_like(lengths, dtype=torch.bool)
    cache = KVCache(model.config.n_decoder, cross=True) if cached else None
    while not ended.all():
        best = _next_log_probabilities(model, written, memory, mask, cache).max(-1)  # (B,)
        scores += best.values.masked_fill(ended, 0.0)
        written = torch.cat((written, best.indices.masked_fill(ended, end).unsqueeze(1)), dim=1)
        ended |= (written[:, -1] == end) | (written.size(1) > limits)
    hypotheses = []
    for row, limit, score in zip(written.tolist(), limits.tolist(), scores.tolist(), strict=True):
        ids = row[1 : limit + 1]
        stopped = end in ids
        ids = ids[: ids.index(end)] if stopped else ids
        hypotheses.append(Hypothesis(ids, search.normalised(score, len(ids) + stopped), stopped))
    return hypotheses


@torch.inference_mode()
def beam_search(
    model: Translator, source: Tensor, lengths: Tensor, end: int, search: Search, cached: bool = True
) -> list[Hypothesis]:
    """Extend the K most likely partial translations of each sentence until K hypotheses have ended.

    Returns the hypothesis with the best normalised score. Sentences that are finished leave the batch. A
    beam of 1 gives the result of `greedy`.
    """
    k = search.beam
    memory, mask = (t.repeat_interleave(k, dim=0) for t in model.encode(source, lengths))  # (N, S, C), (N, 1, 1, S)
    limits = (lengths + search.extra).clamp(max=model.config.context)  # (B,)
    written = torch.full((len(source) * k, 1), end, device=source.device)  # (N, 1 + T)
    scores = torch.full((len(source), k), float("-inf"), device=source.device)  # (B, K)
    scores[:, 0] = 0.0  # all beams are equal at first, so only one is extended
    cache = KVCache(model.config.n_decoder, cross=True) if cached else None
    ended: list[list[Hypothesis]] = [[] for _ in source]
    active = list(range(len(source)))  # the unfinished sentences, in the order of the batch
    while active:
        log_p = _next_log_probabilities(model, written, memory, mask, cache)  # (N, V)
        candidates = _top_candidates(scores, log_p, 2 * k)
        is_end = candidates.tokens == end  # (B, 2K)
        at_limit = written.size(1) >= limits[active]  # (B,)
        for row in (is_end[:, :k].any(1) | at_limit).nonzero().flatten().tolist():
            ended[active[row]] += _ended(candidates, row, written, search, is_end[row, :k], bool(at_limit[row]))
        # Each beam has one candidate that ends, so of 2K candidates at least K do not.
        kept = is_end.int().argsort(dim=1, stable=True)[:, :k]  # (B, K), the best that have not ended
        stay = [row for row, i in enumerate(active) if len(ended[i]) < k and not at_limit[row]]
        rows = candidates.parents.gather(1, kept)[stay].flatten()  # (N,)
        tokens = candidates.tokens.gather(1, kept)[stay].view(-1, 1)  # (N, 1)
        written = torch.cat((written[rows], tokens), dim=1)
        scores = candidates.scores.gather(1, kept)[stay]
        memory, mask = memory[rows], mask[rows]
        active = [active[row] for row in stay]
        if cache is not None:
            cache.select(rows)
    return [max(hypotheses, key=lambda one: (one.stopped, one.score)) for hypotheses in ended]


@dataclass(frozen=True)
class _Candidates:
    """Extensions of a sentence's beams by one token, the best first; (B, count) each."""

    scores: Tensor  # log-probabilities of the whole translations
    parents: Tensor  # the rows (of N) that they extend
    tokens: Tensor


def _next_log_probabilities(
    model: Translator, written: Tensor, memory: Tensor, mask: Tensor, cache: KVCache | None
) -> Tensor:
    """Log-probabilities (N, V) of the next token, for written (N, 1 + T)."""
    new = written if cache is None else written[:, -1:]
    logits = model.head(model.decode(new, memory, mask, cache)[:, -1])  # (N, V)
    return logits.float().log_softmax(-1)


def _top_candidates(scores: Tensor, log_p: Tensor, count: int) -> _Candidates:
    """The best `count` extensions of each sentence, from scores (B, K) and log_p (N, V)."""
    b, k = scores.shape
    totals = (scores.view(-1, 1) + log_p).view(b, -1)  # (B, K·V)
    values, indices = totals.topk(min(count, totals.size(1)), dim=1)  # (B, count)
    vocab_size = log_p.size(-1)
    first_rows = k * torch.arange(b, device=scores.device)[:, None]  # (B, 1)
    return _Candidates(values, indices // vocab_size + first_rows, indices % vocab_size)


def _ended(
    candidates: _Candidates, row: int, written: Tensor, search: Search, is_end: Tensor, at_limit: bool
) -> list[Hypothesis]:
    """The hypotheses of a sentence that end here, by the end token or by the length limit, of its best K."""
    hypotheses = []
    for rank, stopped in enumerate(is_end.tolist()):
        score = float(candidates.scores[row, rank])
        if not (stopped or at_limit) or score == float("-inf"):
            continue
        ids = written[candidates.parents[row, rank], 1:].tolist()
        if not stopped:
            ids.append(int(candidates.tokens[row, rank]))
        hypotheses.append(Hypothesis(ids, search.normalised(score, written.size(1)), stopped))
    return hypotheses
