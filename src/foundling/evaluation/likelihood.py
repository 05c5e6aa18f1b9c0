"""The log-likelihood of a continuation: the sum of the conditional log-probabilities of its tokens.

A causal model computes log p(continuation | context) = sum over i of log p(token i | context, tokens before
i) in one forward pass. Shapes: B rows, T tokens, C width, V vocabulary, N predicted tokens.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from foundling.model.interface import LanguageModel

LOGITS_AT_ONCE = 2**25  # 128 MiB of float32


@dataclass(frozen=True)
class Request:
    """A request for log p(continuation | context). Neither may be empty: start a text with end-of-text."""

    context: tuple[int, ...]
    continuation: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.context or not self.continuation:
            raise ValueError(
                f"a context of {len(self.context)} and a continuation of {len(self.continuation)} tokens: "
                "both must have at least one; fix the record that has no text"
            )


@dataclass(frozen=True)
class Likelihoods:
    """The log-likelihood of each request in nats, and how many were truncated to the model's context."""

    values: list[float]
    truncated: int


@dataclass(frozen=True)
class Window:
    """Input ids for a request, and the target tokens at the last of their positions."""

    ids: tuple[int, ...]
    targets: tuple[int, ...]
    request: int


@dataclass(frozen=True)
class Row:
    """Input ids, and the predictions at their positions: (position, target token, index of the request)."""

    ids: tuple[int, ...]
    predictions: list[tuple[int, int, int]]


def log_likelihoods(model: LanguageModel, requests: Sequence[Request], batch_tokens: int) -> Likelihoods:
    """Score every request, in batches of at most `batch_tokens` tokens, padding included, or of a single row.

    Requests longer than the model's context are truncated at the beginning.
    """
    context = model.config.context
    windows = [window for i, request in enumerate(requests) for window in _windows(request, i, context)]
    truncated = sum(len(request.context) + len(request.continuation) - 1 > context for request in requests)
    totals = [0.0] * len(requests)
    for batch in _batches(_rows(windows), batch_tokens):
        # Padding is on the right, where no prediction of a causal model depends on it.
        longest = max(len(row.ids) for row in batch)
        ids = torch.tensor([row.ids + (0,) * (longest - len(row.ids)) for row in batch])  # (B, T)
        predictions = [(b, *prediction) for b, row in enumerate(batch) for prediction in row.predictions]
        positions = torch.tensor([b * longest + position for b, position, _, _ in predictions])  # (N,)
        targets = torch.tensor([target for _, _, target, _ in predictions])  # (N,)
        scores = log_probabilities(model, ids, positions, targets)
        for (_, _, _, request), score in zip(predictions, scores.tolist(), strict=True):
            totals[request] += score
    return Likelihoods(totals, truncated)


@torch.inference_mode()
def log_probabilities(model: LanguageModel, ids: Tensor, positions: Tensor, targets: Tensor) -> Tensor:
    """Log-probability (N,) of each target (N,) at its position (N,), which is row * T + column of ids (B, T).

    The head is the most expensive layer of a small model, so it is applied at these positions only.
    """
    device = next((p.device for p in model.parameters()), ids.device)
    ids, positions, targets = ids.to(device), positions.to(device), targets.to(device)
    states = model.hidden(ids).flatten(0, 1)  # (B*T, C)
    # Single-token choices are predicted at the same position: apply the head to it once.
    positions, position_of = torch.unique(positions, return_inverse=True)  # (P,), (N,)
    scores = torch.empty(len(targets), dtype=torch.float64, device=device)
    step = max(1, LOGITS_AT_ONCE // model.config.vocab_size)
    for start in range(0, len(positions), step):
        logits = model.head(states[positions[start : start + step]]).float()  # (P, V)
        mask = (position_of >= start) & (position_of < start + step)  # (N,)
        rows = position_of[mask] - start
        scores[mask] = (logits[rows, targets[mask]] - logits.logsumexp(-1)[rows]).double()
    return scores.cpu()


def _windows(request: Request, index: int, context: int) -> Iterator[Window]:
    """Truncate a request from the left; its last token is not an input, since it predicts nothing.

    A continuation longer than the context is split so that each of its tokens is predicted from at least half
    a context.
    """
    ids = request.context + request.continuation
    size = len(request.continuation) if len(request.continuation) <= context else max(1, context // 2)
    for start in range(len(request.context), len(ids), size):
        end = min(start + size, len(ids))
        yield Window(ids[max(0, end - 1 - context) : end - 1], ids[start:end], index)


def _rows(windows: Sequence[Window]) -> list[Row]:
    """Merge windows into one row if the ids of one are a prefix of the ids of the other.

    For example, four single-token choices after the same context need one row, not four. Sorted order puts a
    sequence directly before those that start with it, so in reverse order only the newest row can contain the
    next sequence.
    """
    rows: list[Row] = []
    for window in sorted(windows, key=lambda window: window.ids, reverse=True):
        if not rows or rows[-1].ids[: len(window.ids)] != window.ids:
            rows.append(Row(window.ids, []))
        first = len(window.ids) - len(window.targets)  # the context's last token predicts the first target
        rows[-1].predictions.extend(
            (first + i, target, window.request) for i, target in enumerate(window.targets)
        )
    return rows


def _batches(rows: list[Row], batch_tokens: int) -> Iterator[list[Row]]:
    """Group rows of similar length, longest first, for little padding and so that memory runs out early."""
    batch: list[Row] = []
    for row in sorted(rows, key=lambda row: len(row.ids), reverse=True):
        if batch and (len(batch) + 1) * len(batch[0].ids) > batch_tokens:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch
