"""Sentences in, their translations out: the likeliest token again and again, or a beam search with a length penalty.

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
    """How a translation is looked for."""

    beam: int  # hypotheses that are followed at once; 1 takes the likeliest token each time
    length_penalty: float  # 0: the likeliest translation; more: longer ones
    extra: int  # the most tokens that a translation may have beyond its source

    def __post_init__(self) -> None:
        if self.beam < 1:
            raise ValueError(f"beam={self.beam} is not allowed; 1 takes the likeliest token, 4 is usual")
        if self.length_penalty < 0:
            raise ValueError(f"length_penalty={self.length_penalty} is not allowed; 0 is none, 0.6 is usual")

    def normalised(self, score: float, length: int) -> float:
        """log p(translation) over ((5 + length) / 6)^penalty (Wu et al. 2016, eq. 14)."""
        return score / ((5 + length) / 6) ** self.length_penalty


@dataclass(frozen=True)
class Hypothesis:
    """A translation without its end, its score, and whether it ended by itself."""

    ids: list[int]
    score: float
    stopped: bool


def translate(
    model: Translator, tokenizer: Coder, texts: Sequence[str], search: Search, batch_tokens: int
) -> tuple[list[str], int]:
    """The translation of each text, and how many texts were longer than the model's context and lost their end.

    Texts of like length share a batch of `batch_tokens` source tokens, padding and beams counted; a blank one stays so.
    """
    end, room = tokenizer.end_of_text, model.config.context - 1
    encoded = [tokenizer.encode(" ".join(text.split())) for text in texts]
    rows = [[*ids[:room], end] for ids in encoded]
    found = [""] * len(texts)
    order = sorted((i for i, ids in enumerate(encoded) if ids), key=lambda i: len(rows[i]), reverse=True)
    while order:
        size = max(1, batch_tokens // (len(rows[order[0]]) * search.beam))
        chosen, order = order[:size], order[size:]
        for i, best in zip(chosen, search_all(model, [rows[i] for i in chosen], end, search), strict=True):
            found[i] = tokenizer.decode(best.ids).strip()
    return found, sum(len(ids) > room for ids in encoded)


def search_all(
    model: Translator, rows: Sequence[Sequence[int]], end: int, search: Search, cached: bool = True
) -> list[Hypothesis]:
    """The best hypothesis for each row of source ids, by the search that is asked for."""
    device = next(model.parameters()).device
    lengths = torch.tensor([len(row) for row in rows], device=device)
    source = torch.full((len(rows), int(lengths.max())), end, device=device)
    for i, row in enumerate(rows):
        source[i, : len(row)] = torch.tensor(row)
    return (greedy if search.beam == 1 else beam_search)(model, source, lengths, end, search, cached)


@torch.inference_mode()
def greedy(
    model: Translator, source: Tensor, lengths: Tensor, end: int, search: Search, cached: bool = True
) -> list[Hypothesis]:
    """Take the likeliest token until it is the end, for source (B, S) of which lengths (B,) are real.

    `cached=False` reads the whole translation anew for every token: the plain way, which the cached one must equal.
    """
    memory, mask = model.encode(source, lengths)
    limits = (lengths + search.extra).clamp(max=model.config.context)  # (B,)
    written = torch.full_like(source[:, :1], end)  # (B, 1 + T)
    scores = torch.zeros(len(source), device=source.device)
    ended = torch.zeros_like(lengths, dtype=torch.bool)
    cache = KVCache(model.config.n_decoder, cross=True) if cached else None
    while not ended.all():
        logits = model.head(model.decode(written[:, -1:] if cached else written, memory, mask, cache)[:, -1])  # (B, V)
        best = logits.float().log_softmax(-1).max(-1)
        scores += best.values.masked_fill(ended, 0.0)
        written = torch.cat((written, best.indices.masked_fill(ended, end).unsqueeze(1)), dim=1)
        ended |= (written[:, -1] == end) | (written.size(1) > limits)
    made = []
    for row, limit, score in zip(written.tolist(), limits.tolist(), scores.tolist(), strict=True):
        ids = row[1 : limit + 1]
        stopped = end in ids
        ids = ids[: ids.index(end)] if stopped else ids
        made.append(Hypothesis(ids, search.normalised(score, len(ids) + stopped), stopped))
    return made


@torch.inference_mode()
def beam_search(
    model: Translator, source: Tensor, lengths: Tensor, end: int, search: Search, cached: bool = True
) -> list[Hypothesis]:
    """Follow the K likeliest beginnings at once; a sentence is done when K hypotheses of it have ended.

    The best of these by normalised score is taken. Sentences that are done leave the batch. A beam of 1 is greedy.
    """
    k = search.beam
    memory, mask = (t.repeat_interleave(k, dim=0) for t in model.encode(source, lengths))  # (N, S, C), (N, 1, 1, S)
    limits = (lengths + search.extra).clamp(max=model.config.context)  # (B,)
    written = torch.full((len(source) * k, 1), end, device=source.device)  # (N, 1 + T)
    scores = torch.full((len(source), k), float("-inf"), device=source.device)
    scores[:, 0] = 0.0  # all beams begin alike, so only one of them may go on
    cache = KVCache(model.config.n_decoder, cross=True) if cached else None
    made: list[list[Hypothesis]] = [[] for _ in source]
    going = list(range(len(source)))  # the sentences that are not done
    while going:
        logits = model.head(model.decode(written[:, -1:] if cached else written, memory, mask, cache)[:, -1])  # (N, V)
        nexts = (scores.view(-1, 1) + logits.float().log_softmax(-1)).view(len(going), -1)  # (B, K·V)
        # of twice as many candidates at least K go on, as each beam can end in one way only
        values, places = nexts.topk(min(2 * k, nexts.size(1)), dim=1)  # (B, 2K), the best first
        parents, tokens = places // logits.size(-1), places % logits.size(-1)
        parents += k * torch.arange(len(going), device=source.device)[:, None]  # rows of `written`
        ends, at_limit = tokens == end, written.size(1) >= limits[going]
        for at in (ends[:, :k].any(1) | at_limit).nonzero().flatten().tolist():
            for rank in range(k):
                stopped = bool(ends[at, rank])
                if (stopped or at_limit[at]) and values[at, rank] > float("-inf"):
                    ids = written[parents[at, rank], 1:].tolist() + ([] if stopped else [int(tokens[at, rank])])
                    score = search.normalised(float(values[at, rank]), written.size(1))
                    made[going[at]].append(Hypothesis(ids, score, stopped))
        kept = ends.int().argsort(dim=1, stable=True)[:, :k]  # (B, K), the best that have not ended
        stay = [at for at, i in enumerate(going) if len(made[i]) < k and not at_limit[at]]
        rows = parents.gather(1, kept)[stay].flatten()  # (N,)
        written = torch.cat((written[rows], tokens.gather(1, kept)[stay].view(-1, 1)), dim=1)
        scores = values.gather(1, kept)[stay]
        memory, mask, going = memory[rows], mask[rows], [going[at] for at in stay]
        if cache is not None:
            cache.select(rows)
    return [max(those, key=lambda one: (one.stopped, one.score)) for those in made]
