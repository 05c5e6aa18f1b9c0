"""Batches for classification: (ids, lengths, labels) of shapes (B, T), (B,), (B,), texts of like length together."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from foundling.data.batches import EpochBatches, EqualBatches, OrderedBatches, TrainingData, in_batches
from foundling.data.labelled import Labelled
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


def as_batch(texts: Encoded, chosen: np.ndarray) -> Batch:
    """The texts of these indices, padded, with their lengths and labels."""
    return (*padded([texts.ids[i] for i in chosen]), torch.from_numpy(texts.labels[chosen]))


def batches_per_epoch(examples: int, batch_size: int) -> int:
    """How many steps read each example once; batches differ by at most one example."""
    return max(1, round(examples / batch_size))


class ClassificationData(TrainingData):
    """Training and validation batches of encoded, labelled texts.

    With several devices each computes the same batch: these trainings are short.
    """

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
        lengths = np.array([len(row) for row in train.ids])
        self.batches_per_epoch = batches_per_epoch(len(train.ids), batch_size)
        self.tokens_per_step = int(lengths.sum()) // self.batches_per_epoch
        plan = EqualBatches(lengths, batch_size, bucket, self.batches_per_epoch)
        by_length = np.argsort([len(row) for row in validation.ids], kind="stable")
        super().__init__(
            EpochBatches(plan, partial(as_batch, train), steps, seed),
            OrderedBatches(in_batches(by_length, 2 * batch_size), partial(as_batch, validation)),
            steps,
            workers,
        )
