"""How likely a model finds a continuation: token ids in, the sum of their conditional log-probabilities out.

A causal model gives log p(continuation | context) = sum over i of log p(token i | context, tokens before i), all in one
forward pass. B rows, T tokens, C width, V vocabulary, N positions asked for.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

LOGITS_AT_ONCE = 2**25  # 128 MiB of float32: a large vocabulary is scored some positions at a time


class LanguageModel(Protocol):
    """Any causal network in evaluation mode; its `config` has `context` and `vocab_size`."""

    config: Any

    def __call__(self, ids: Tensor) -> Tensor:
        """Logits (B, T, V) for ids (B, T)."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """Its weights, whose device the ids go to."""


@dataclass(frozen=True)
class Request:
    """Ask for log p(continuation | context); neither may be empty (text starts after the end-of-text token)."""

    context: tuple[int, ...]
    continuation: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.context or not self.continuation:
            raise ValueError(
                f"found a context of {len(self.context)} and a continuation of {len(self.continuation)} tokens; both"
                " need at least one; begin with the end-of-text token and mend the record that has no text"
            )


@dataclass(frozen=True)
class Likelihoods:
    """Nats per request, in the order asked, and how many of them had to be cut to fit the model's context."""

    values: list[float]
    cut: int


@dataclass(frozen=True)
class Piece:
    """What a model is fed and what it has to predict at the end of it, for the request of this index."""

    ids: tuple[int, ...]
    targets: tuple[int, ...]
    index: int


@dataclass(frozen=True)
class Row:
    """One input sequence and what is read off it: (position, target token, index of the request)."""

    ids: tuple[int, ...]
    reads: list[tuple[int, int, int]]


def log_likelihoods(model: LanguageModel, requests: Sequence[Request], batch_tokens: int) -> Likelihoods:
    """Score every request; a batch holds at most `batch_tokens` tokens, padding included, or a single row.

    What is longer than the model's context loses its beginning and is counted.
    """
    pieces = [piece for i, request in enumerate(requests) for piece in _pieces(request, i, model.config.context)]
    lengths = [len(request.context) + len(request.continuation) - 1 for request in requests]
    cut = sum(length > model.config.context for length in lengths)
    totals = [0.0] * len(requests)
    for batch in _batches(_rows(pieces), batch_tokens):
        # Padding stands to the right, where a causal model cannot see it from any position that is read.
        longest = max(len(row.ids) for row in batch)
        ids = torch.tensor([row.ids + (0,) * (longest - len(row.ids)) for row in batch])  # (B, T)
        reads = [(b, *read) for b, row in enumerate(batch) for read in row.reads]
        places = torch.tensor([b * longest + position for b, position, _, _ in reads])  # (N,)
        targets = torch.tensor([target for _, _, target, _ in reads])  # (N,)
        scores = log_probabilities(model, ids, places, targets)
        for (_, _, _, index), score in zip(reads, scores.tolist(), strict=True):
            totals[index] += score
    return Likelihoods(totals, cut)


@torch.inference_mode()
def log_probabilities(model: LanguageModel, ids: Tensor, places: Tensor, targets: Tensor) -> Tensor:
    """Log-probability (N,) of each target (N,) at its place (N,), given as row * T + position in ids (B, T).

    The head, the dearest layer of a small model, sees only the places asked for when the model offers `hidden` and
    `head` apart; any other module from ids to logits is asked for all of them.
    """
    device = next((p.device for p in model.parameters()), ids.device)
    ids, places, targets = ids.to(device), places.to(device), targets.to(device)
    network: Any = model
    apart = hasattr(network, "hidden") and hasattr(network, "head")
    states = (network.hidden(ids) if apart else network(ids)).flatten(0, 1)  # (B*T, C) or (B*T, V)
    # Several targets may be read at one place (choices of one token): it goes through the head once.
    places, place_of = torch.unique(places, return_inverse=True)  # (P,), (N,)
    scores = torch.empty(len(targets), dtype=torch.float64, device=device)
    step = max(1, LOGITS_AT_ONCE // model.config.vocab_size)
    for start in range(0, len(places), step):
        chosen = states[places[start : start + step]]  # (P, C) or (P, V)
        logits = (network.head(chosen) if apart else chosen).float()  # (P, V)
        here = (place_of >= start) & (place_of < start + step)  # (N,)
        rows = place_of[here] - start
        scores[here] = (logits[rows, targets[here]] - logits.logsumexp(-1)[rows]).double()
    return scores.cpu()


def _pieces(request: Request, index: int, context: int) -> Iterator[Piece]:
    """Cut from the left what the model cannot see; the last token is never fed, for it predicts nothing.

    A continuation that alone is longer than the context goes in pieces, so that each of its tokens still sees at
    least half a context.
    """
    whole = request.context + request.continuation
    size = len(request.continuation) if len(request.continuation) <= context else max(1, context // 2)
    for start in range(len(request.context), len(whole), size):
        end = min(start + size, len(whole))
        yield Piece(whole[max(0, end - 1 - context) : end - 1], whole[start:end], index)


def _rows(pieces: Sequence[Piece]) -> list[Row]:
    """Let pieces share a row when the inputs of one begin with all inputs of the other.

    So four choices of one token after the same context cost one row, not four. Sorting puts a sequence in front of
    those that continue it; walking backwards, the row made last is the only one that can hold the next sequence.
    """
    rows: list[Row] = []
    for piece in sorted(pieces, key=lambda piece: piece.ids, reverse=True):
        if not rows or rows[-1].ids[: len(piece.ids)] != piece.ids:
            rows.append(Row(piece.ids, []))
        first = len(piece.ids) - len(piece.targets)  # the last token of the context predicts the first target
        rows[-1].reads.extend((first + i, target, piece.index) for i, target in enumerate(piece.targets))
    return rows


def _batches(rows: list[Row], batch_tokens: int) -> Iterator[list[Row]]:
    """Group rows of like length, longest first: little padding, and too large a batch fails at once."""
    batch: list[Row] = []
    for row in sorted(rows, key=lambda row: len(row.ids), reverse=True):
        if batch and (len(batch) + 1) * len(batch[0].ids) > batch_tokens:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch
