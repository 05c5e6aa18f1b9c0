"""Choose the next token of each row from its logits, each with its own settings.

Shapes: N rows, V vocabulary.
"""

from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor

from foundling.generation.sampling import distribution
from foundling.serving.rows import Row
from foundling.serving.stream import Token
from foundling.settings.generation import Sampling


def choose(logits: Tensor, rows: Sequence[Row], tolerance: float = 0.0) -> list[Token | None]:
    """The next token of each row, from logits (N, V), as `generation.sampling.sample` chooses it.

    A greedy row gets None where another token's logit is within `tolerance` of the largest, as a share of the
    largest magnitude: rounding may then have decided.
    """
    scores = _without_banned(logits, rows)
    chosen = scores.argmax(dim=-1)  # (N,)
    close = _is_close(scores, logits, tolerance) if tolerance else [False] * len(rows)
    groups: defaultdict[Sampling, list[int]] = defaultdict(list)
    for i, row in enumerate(rows):
        if row.sampling.temperature > 0:
            groups[row.sampling].append(i)
            close[i] = False
    for sampling, members in groups.items():
        probabilities = distribution(scores[members], sampling)  # (members, V)
        for i, p in zip(members, probabilities, strict=True):
            chosen[i] = torch.multinomial(p, 1, generator=rows[i].generator)
    ids = chosen.tolist()
    tokens: list[Token | None] = [
        None if is_close else Token(id) for id, is_close in zip(ids, close, strict=True)
    ]
    described = [i for i, row in enumerate(rows) if row.stream.request.top_logprobs is not None]
    for i, logprobs in zip(described, logits[described].float().log_softmax(-1), strict=True):  # (V,)
        if tokens[i] is not None:
            tokens[i] = _with_logprobs(ids[i], logprobs, rows[i].stream.request.top_logprobs or 0)
    return tokens


def _without_banned(logits: Tensor, rows: Sequence[Row]) -> Tensor:
    """The logits, -inf where a row's repetition guard forbids a token."""
    banned = [(i, id) for i, row in enumerate(rows) if row.guard is not None for id in row.guard.banned()]
    if not banned:
        return logits
    at, ids = torch.tensor(banned, device=logits.device).unbind(1)
    return logits.index_put((at, ids), logits.new_tensor(float("-inf")))


def _is_close(scores: Tensor, logits: Tensor, tolerance: float) -> list[bool]:
    """Whether a row's second largest score is within the tolerance of its largest."""
    least = scores.amax(-1, keepdim=True) - tolerance * logits.abs().amax(-1, keepdim=True)  # (N, 1)
    return ((scores >= least).sum(-1) > 1).tolist()


def _with_logprobs(id: int, logprobs: Tensor, count: int) -> Token:
    values, ids = logprobs.topk(min(count, len(logprobs)))
    return Token(id, float(logprobs[id]), tuple(zip(ids.tolist(), values.tolist(), strict=True)))
