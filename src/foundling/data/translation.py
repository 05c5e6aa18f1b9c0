"""Batches for translation: (source, lengths, inputs, targets) of shapes (B, S), (B,), (B, T), (B, T).

A source ends with the end-of-text token. A target stands between two of them: the first one, as an input, asks for the
first word; the last one, as a target, says that the sentence is over. Padding stands to the right: of the source it is
masked by length, of the targets it is IGNORE_INDEX.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from foundling.data.classification import padded
from foundling.data.loading import BatchOrder, loader
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
            f"no pair of the split {split} fits into the context of {context} tokens; raise translator.model.context"
        )
    if not all(fits):
        log.warning(
            f"translator: {fits.count(False):,} of {len(pairs):,} pairs in {split} are longer than the context of "
            f"{context} tokens and are left out"
        )
    if changes is not None:
        changes[TOO_LONG] += fits.count(False)
    kept = np.flatnonzero(fits).tolist()
    return Encoded([sources[i] for i in kept], [targets[i] for i in kept])


class TrainingBatches(Dataset[Batch]):
    """Item s is the batch of step s: a function of (seed, s), whatever was read before.

    In each epoch pairs of like length stand together, those of equal length in a new order, and are cut into batches of
    about `batch_tokens` tokens, which come in random order (Vaswani et al. 2017, 5.1). An order by length is the same
    lengths in every epoch, so that the cuts, too, are the same: every epoch has as many batches.
    """

    def __init__(self, pairs: Encoded, batch_tokens: int, steps: int, seed: int) -> None:
        self.pairs, self.steps, self.seed = pairs, steps, seed
        self.lengths = pairs.lengths
        self.tokens = int(self.lengths.sum())
        self.cuts = cuts(self.lengths[by_length(self.lengths)], batch_tokens)
        self.per_epoch = len(self.cuts) + 1
        self.plan = lru_cache(maxsize=1)(self._plan)

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> Batch:
        """The batch of a step."""
        epoch, place = divmod(step, self.per_epoch)
        return as_batch(self.pairs, self.plan(epoch)[place])

    def _plan(self, epoch: int) -> list[np.ndarray]:
        """All batches of an epoch, as indices of pairs; each pair is in exactly one."""
        random = np.random.Generator(np.random.Philox(key=(self.seed << 64) + epoch))
        order = random.permutation(len(self.lengths))
        batches = np.split(order[by_length(self.lengths[order])], self.cuts)
        return [batches[i] for i in random.permutation(self.per_epoch)]


class OrderedBatches(Dataset[Batch]):
    """A whole split by length, so that little is padded; order does not matter to a sum."""

    def __init__(self, pairs: Encoded, batch_tokens: int) -> None:
        self.pairs = pairs
        order = by_length(pairs.lengths)
        self.batches = np.split(order, cuts(pairs.lengths[order], batch_tokens))

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> Batch:
        """The index-th batch."""
        return as_batch(self.pairs, self.batches[index])


def by_length(lengths: np.ndarray) -> np.ndarray:
    """The order (N,) of pairs by their lengths (N, 2), the source's first; equal ones stay as they came."""
    return np.lexsort((lengths[:, 1], lengths[:, 0]))


def cuts(lengths: np.ndarray, batch_tokens: int) -> np.ndarray:
    """Where to cut ordered pairs of these lengths (N, 2) into parts as equal as can be of about `batch_tokens` tokens.

    Both sides count, padding does not. No part is empty: a pair longer than a part is one of its own.
    """
    if batch_tokens < 1:
        raise ValueError(f"found translator.batch_tokens={batch_tokens}; it is at least 1; try 4096")
    ends = lengths.sum(axis=1).cumsum()
    parts = (ends - 1) * max(1, round(ends[-1] / batch_tokens)) // ends[-1]
    return np.flatnonzero(np.diff(parts)) + 1


def as_batch(pairs: Encoded, chosen: np.ndarray) -> Batch:
    """The pairs of these indices, padded."""
    source, lengths = padded([pairs.sources[i] for i in chosen])
    whole, ends = padded([pairs.targets[i] for i in chosen])  # (B, T + 1)
    places = torch.arange(1, whole.size(1))
    return source, lengths, whole[:, :-1], whole[:, 1:].masked_fill(places >= ends[:, None], IGNORE_INDEX)


class TranslationData(LightningDataModule):
    """Training and validation batches of encoded pairs."""

    def __init__(
        self, train: Encoded, validation: Encoded, *, batch_tokens: int, steps: int, seed: int, workers: int
    ) -> None:
        super().__init__()
        self.training = TrainingBatches(train, batch_tokens, steps, seed)
        self.validation = OrderedBatches(validation, batch_tokens)
        self.order = BatchOrder(steps)
        self.workers = workers

    def train_dataloader(self) -> DataLoader[Any]:
        """Batches by step, in order."""
        return loader(self.training, self.workers, self.trainer, self.order)

    def val_dataloader(self) -> DataLoader[Any]:
        """The whole validation split."""
        return loader(self.validation, self.workers, self.trainer)
