"""Batches by index: a training batch is a function of seed and step; a validation split is read in order.

Examples may be texts, conversations or sentence pairs; in this module they are indices.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset

Batch = tuple[Tensor, ...]  # each (B, …)
Collate = Callable[[np.ndarray], Batch]  # indices of examples -> their batch


class Plan(Protocol):
    """How an epoch's examples are divided into batches."""

    batches_per_epoch: int

    def __call__(self, random: np.random.Generator) -> list[np.ndarray]:
        """All batches of an epoch, as indices; each example is in exactly one."""
        ...


class EqualBatches:
    """Batches of about `batch_size` examples each, shuffled in each epoch.

    Within `bucket` consecutive batches, examples are sorted by length, which reduces padding; the order of
    the batches is random.
    """

    def __init__(self, lengths: np.ndarray, batch_size: int, bucket: int, batches_per_epoch: int) -> None:
        self.lengths, self.examples_per_bucket = lengths, batch_size * bucket
        self.batches_per_epoch = batches_per_epoch

    def __call__(self, random: np.random.Generator) -> list[np.ndarray]:
        order = random.permutation(len(self.lengths))
        buckets = np.arange(len(order)) // self.examples_per_bucket
        order = order[np.lexsort((self.lengths[order], buckets))]
        batches = np.array_split(order, self.batches_per_epoch)
        return [batches[i] for i in random.permutation(self.batches_per_epoch)]


class EpochBatches(Dataset[Batch]):
    """Item s is the batch of step s: a function of (seed, s), independent of what was read before."""

    def __init__(self, plan: Plan, collate: Collate, steps: int, seed: int) -> None:
        self.plan, self.collate, self.steps, self.seed = plan, collate, steps, seed
        self.batches_per_epoch = plan.batches_per_epoch
        self._epoch = lru_cache(maxsize=1)(self._draw)

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> Batch:
        """The batch of a step."""
        epoch, position = divmod(step, self.plan.batches_per_epoch)
        return self.collate(self._epoch(epoch)[position])

    def _draw(self, epoch: int) -> list[np.ndarray]:
        # Philox is counter-based: an epoch's numbers do not depend on previous epochs (Salmon et al. 2011)
        return self.plan(np.random.Generator(np.random.Philox(key=(self.seed << 64) + epoch)))


class OrderedBatches(Dataset[Batch]):
    """A whole split in the given batches."""

    def __init__(self, batches: Sequence[np.ndarray], collate: Collate) -> None:
        self.batches, self.collate = batches, collate

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> Batch:
        """The index-th batch."""
        return self.collate(self.batches[index])


def in_batches(order: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """Divide ordered indices (N,) into batches of `batch_size`; the last one may be smaller."""
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def padded(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Ids (B, T), padded on the right with id 0, and the lengths (B,) of the rows."""
    ids = pad_sequence([torch.tensor(row) for row in rows], batch_first=True)
    return ids, torch.tensor([len(row) for row in rows])
