"""Batches for translation: (source, lengths, inputs, targets) of shapes (B, S), (B,), (B, T), (B, T).

A source ends with the end-of-text token. A target stands between two of them: the first one, as an input, asks for the
first word; the last one, as a target, says that the sentence is over. Padding stands to the right: of the source it is
masked by length, of the targets it is IGNORE_INDEX.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from foundling.data.batches import EpochBatches, OrderedBatches, TrainingData
from foundling.data.classification import padded
from foundling.data.pairs import Pair
from foundling.model.loss import IGNORE_INDEX
from foundling.text.tokenizer import Tokenizer

log = logging.getLogger(__name__)
Batch = tuple[Tensor, Tensor, Tensor, Tensor]
TOO_LONG = "left out: pairs longer than the context"


@dataclass(frozen=True)
class Encoded:
    """Pairs as token ids with their ends; `lengths` (N, 2) counts what a model reads of each side."""

    sources: list[list[int]]
    targets: list[list[int]]

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of source and target, (N, 2)."""
        return np.array([(len(s), len(t) - 1) for s, t in zip(self.sources, self.targets, strict=True)])


def encode(
    tokenizer: Tokenizer, pairs: Sequence[Pair], context: int, split: str, changes: Counter[str] | None = None
) -> Encoded:
    """Ids of the pairs that fit into `context` tokens a side; the log and `changes` count the others."""
    end = tokenizer.end_of_text
    sources = [[*ids, end] for ids in tokenizer.encode_batch([pair.source for pair in pairs], threads=1)]
    targets = [[end, *ids, end] for ids in tokenizer.encode_batch([pair.target for pair in pairs], threads=1)]
    fits = [len(s) <= context and len(t) - 1 <= context for s, t in zip(sources, targets, strict=True)]
    if not any(fits):
        raise ValueError(
            f"no pair of the split {split} fits into the context of {context} tokens; "
            "increase train_translator.model.context"
        )
    if not all(fits):
        log.warning(
            f"train_translator: {fits.count(False):,} of {len(pairs):,} pairs in {split} are longer than the context "
            f"of {context} tokens and are left out"
        )
    if changes is not None:
        changes[TOO_LONG] += fits.count(False)
    kept = np.flatnonzero(fits).tolist()
    return Encoded([sources[i] for i in kept], [targets[i] for i in kept])


class TokenBatches:
    """Batches of about `batch_tokens` tokens, of pairs of similar length (Vaswani et al. 2017, 5.1).

    Each epoch pairs are sorted by length, those of equal length in a new order, and the batches come in random order.
    The sorted lengths are the same in every epoch, and so are the cuts: every epoch has as many batches.
    """

    def __init__(self, lengths: np.ndarray, batch_tokens: int) -> None:
        self.lengths = lengths
        self.cuts = cuts(lengths[by_length(lengths)], batch_tokens)
        self.batches_per_epoch = len(self.cuts) + 1

    def __call__(self, random: np.random.Generator) -> list[np.ndarray]:
        order = random.permutation(len(self.lengths))
        batches = np.split(order[by_length(self.lengths[order])], self.cuts)
        return [batches[i] for i in random.permutation(self.batches_per_epoch)]


def by_length(lengths: np.ndarray) -> np.ndarray:
    """The order (N,) of pairs by their lengths (N, 2), the source's first; equal ones stay as they came."""
    return np.lexsort((lengths[:, 1], lengths[:, 0]))


def cuts(lengths: np.ndarray, batch_tokens: int) -> np.ndarray:
    """Where to cut ordered pairs of these lengths (N, 2) into parts as equal as can be of about `batch_tokens` tokens.

    Both sides count, padding does not. No part is empty: a pair longer than a part is one of its own.
    """
    if batch_tokens < 1:
        raise ValueError(f"found train_translator.batch_tokens={batch_tokens}; it is at least 1; try 4096")
    ends = lengths.sum(axis=1).cumsum()
    parts = (ends - 1) * max(1, round(ends[-1] / batch_tokens)) // ends[-1]
    return np.flatnonzero(np.diff(parts)) + 1


def as_batch(pairs: Encoded, chosen: np.ndarray) -> Batch:
    """The pairs of these indices, padded."""
    source, lengths = padded([pairs.sources[i] for i in chosen])
    whole, ends = padded([pairs.targets[i] for i in chosen])  # (B, T + 1)
    places = torch.arange(1, whole.size(1))
    return source, lengths, whole[:, :-1], whole[:, 1:].masked_fill(places >= ends[:, None], IGNORE_INDEX)


class TranslationData(TrainingData):
    """Training and validation batches of encoded pairs."""

    def __init__(
        self, train: Encoded, validation: Encoded, *, batch_tokens: int, steps: int, seed: int, workers: int
    ) -> None:
        plan = TokenBatches(train.lengths, batch_tokens)
        self.batches_per_epoch = plan.batches_per_epoch
        self.tokens_per_step = int(train.lengths.sum()) // plan.batches_per_epoch
        order = by_length(validation.lengths)
        held_out = np.split(order, cuts(validation.lengths[order], batch_tokens))
        super().__init__(
            EpochBatches(plan, partial(as_batch, train), steps, seed),
            OrderedBatches(held_out, partial(as_batch, validation)),
            steps,
            workers,
        )
