"""Batches for classification: (ids, lengths, labels) of shapes (B, T), (B,), (B,), texts of like length together."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from foundling.data.labelled import Labelled
from foundling.data.loading import BatchOrder, loader
from foundling.text.tokenizer import Tokenizer

log = logging.getLogger(__name__)
Batch = tuple[Tensor, Tensor, Tensor]


def encode(tokenizer: Tokenizer, texts: Sequence[str], context: int, keep: str) -> tuple[list[list[int]], int]:
    """Ids of each text between two end-of-text tokens, as documents stand in pretraining, and how many were cut.

    A text longer than the context loses its end (keep="beginning") or its beginning (keep="end").
    """
    room = context - 2
    if room < 1:
        raise ValueError(f"the base's context of {context} tokens holds no text between two end-of-text tokens")
    end = tokenizer.end_of_text
    found = tokenizer.encode_batch(list(texts), threads=1)
    cut = sum(len(ids) > room for ids in found)
    return [[end, *(ids[:room] if keep == "beginning" else ids[-room:]), end] for ids in found], cut


@dataclass(frozen=True)
class Encoded:
    """Texts as token ids, and their label ids (N,)."""

    ids: list[list[int]]
    labels: np.ndarray


def encode_splits(tokenizer: Tokenizer, texts: Labelled, context: int, keep: str) -> tuple[dict[str, Encoded], int]:
    """Every split encoded, and how many texts in all were longer than the context; the log says so."""
    found, cut = {}, 0
    for split in texts.splits:
        ids, too_long = encode(tokenizer, texts.texts(split), context, keep)
        found[split] = Encoded(ids, texts.ids(split))
        cut += too_long
    if cut:
        lost = "end" if keep == "beginning" else "beginning"
        log.warning(f"classify: {cut:,} texts are longer than the context of {context} tokens and lost their {lost}")
    return found, cut


def padded(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Ids (B, T), id 0 to the right of each row's end, and the lengths (B,) that say where that is."""
    lengths = [len(row) for row in rows]
    ids = np.zeros((len(rows), max(lengths)), dtype=np.int64)
    for place, row in zip(ids, rows, strict=True):
        place[: len(row)] = row
    return torch.from_numpy(ids), torch.tensor(lengths)


class TrainingBatches(Dataset[Batch]):
    """Item s is the batch of step s: a function of (seed, s), whatever was read before.

    Each epoch is shuffled anew; `bucket` neighbouring batches share out their texts by length, so that little is
    padded, and then come in random order. On several devices each computes the same batch: these trainings are short.
    """

    def __init__(self, texts: Encoded, batch_size: int, bucket: int, steps: int, seed: int) -> None:
        if batch_size < 1 or bucket < 1:
            raise ValueError(f"found classify.batch_size={batch_size}, classify.bucket={bucket}; both are at least 1")
        self.texts, self.seed, self.steps = texts, seed, steps
        self.lengths = np.array([len(row) for row in texts.ids])
        self.batch_size, self.bucket = batch_size, bucket
        self.per_epoch = batches_per_epoch(len(texts.ids), batch_size)
        self.tokens = int(self.lengths.sum())
        self.plan = lru_cache(maxsize=1)(self._plan)

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> Batch:
        """The batch of a step."""
        epoch, place = divmod(step, self.per_epoch)
        return as_batch(self.texts, self.plan(epoch)[place])

    def _plan(self, epoch: int) -> list[np.ndarray]:
        """All batches of an epoch, as indices of texts; each text is in exactly one."""
        random = np.random.Generator(np.random.Philox(key=(self.seed << 64) + epoch))
        order = random.permutation(len(self.lengths))
        buckets = np.arange(len(order)) // (self.batch_size * self.bucket)
        order = order[np.lexsort((self.lengths[order], buckets))]
        batches = np.array_split(order, self.per_epoch)
        return [batches[i] for i in random.permutation(self.per_epoch)]


class OrderedBatches(Dataset[Batch]):
    """A whole split by length, so that little is padded; order does not matter to a sum."""

    def __init__(self, texts: Encoded, batch_size: int) -> None:
        self.texts = texts
        order = np.argsort([len(row) for row in texts.ids], kind="stable")
        self.batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> Batch:
        """The index-th batch."""
        return as_batch(self.texts, self.batches[index])


def as_batch(texts: Encoded, chosen: np.ndarray) -> Batch:
    """The texts of these indices, padded, with their lengths and labels."""
    return (*padded([texts.ids[i] for i in chosen]), torch.from_numpy(texts.labels[chosen]))


def batches_per_epoch(examples: int, batch_size: int) -> int:
    """How many steps read each example once; batches differ by at most one example."""
    return max(1, round(examples / batch_size))


class ClassificationData(LightningDataModule):
    """Training and validation batches of encoded, labelled texts."""

    def __init__(
        self,
        train: Encoded,
        validation: Encoded,
        *,
        batch_size: int,
        bucket: int,
        steps: int,
        seed: int,
        workers: int,
    ) -> None:
        super().__init__()
        self.training = TrainingBatches(train, batch_size, bucket, steps, seed)
        self.validation = OrderedBatches(validation, 2 * batch_size)
        self.order = BatchOrder(steps)
        self.workers = workers

    def train_dataloader(self) -> DataLoader[Any]:
        """Batches by step, in order."""
        return loader(self.training, self.workers, self.trainer, self.order)

    def val_dataloader(self) -> DataLoader[Any]:
        """The whole validation split."""
        return loader(self.validation, self.workers, self.trainer)
