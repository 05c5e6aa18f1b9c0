"""Batches of labelled texts of similar length: (ids, lengths, labels) of shapes (B, T), (B,), (B,)."""

from functools import partial

import numpy as np
import torch
from torch import Tensor

from foundling.data.batches import EpochBatches, EqualBatches, OrderedBatches, in_batches, padded
from foundling.data.datamodule import TrainingData
from foundling.data.encoded_texts import Encoded


def as_batch(texts: Encoded, indices: np.ndarray) -> tuple[Tensor, ...]:
    """The texts of these indices, or their states, padded, with their lengths and labels."""
    rows = padded([texts.ids[i] for i in indices]) if texts.states is None else texts.states.padded(indices)
    return (*rows, torch.from_numpy(texts.labels[indices]))


def batches_per_epoch(examples: int, batch_size: int) -> int:
    """The number of steps that use each example once; batch sizes differ by at most one example."""
    return max(1, round(examples / batch_size))


class ClassificationData(TrainingData):
    """Training and validation batches; several devices compute the same batch, since trainings are short."""

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
