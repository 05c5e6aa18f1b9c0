"""Batches of labelled texts of similar length: (ids, lengths, labels) of shapes (B, T), (B,), (B,)."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from foundling.data.batches import (
    EpochBatches,
    EqualBatches,
    OrderedBatches,
    TrainingData,
    in_batches,
    padded,
)
from foundling.data.labelled import Labelled
from foundling.settings.types import TEXT
from foundling.text.text_template import surrounding
from foundling.text.tokenizer import Tokenizer

log = logging.getLogger(__name__)


def encode(
    tokenizer: Tokenizer, texts: Sequence[str], context: int, keep: str, template: str = TEXT
) -> tuple[list[list[int]], int]:
    """Ids of each text between two end-of-text tokens, as in pretraining, and the number of truncated texts.

    With a `template`, its words surround the text. A text longer than the context loses its end
    (keep="beginning") or its beginning (keep="end"), but nothing of the template.
    """
    before, after = surrounding(tokenizer, template)
    limit = context - len(before) - len(after)
    if limit < 1:
        words = "" if template == TEXT else f" in the template {template!r}"
        raise ValueError(
            f"the base's context of {context} tokens is too short for a text between two end-of-text tokens"
            f"{words}"
        )
    rows = tokenizer.encode_batch(list(texts), threads=1)
    truncated = sum(len(ids) > limit for ids in rows)
    framed = [[*before, *(ids[:limit] if keep == "beginning" else ids[-limit:]), *after] for ids in rows]
    return framed, truncated


@dataclass(frozen=True)
class HiddenStates:
    """Hidden states of N texts: those of text i are lengths[i] rows of `values` from starts[i].

    If they are pooled, each text has one row.
    """

    values: np.ndarray  # (P, C), of all texts' positions; a file
    starts: np.ndarray  # (N,)
    lengths: np.ndarray  # (N,)
    are_pooled: bool = False

    def padded(self, indices: np.ndarray) -> tuple[Tensor, Tensor]:
        """The states (B, T, C) of these texts, padded on the right with zeros, and their lengths (B,).

        Pooled states have the shape (B, C).
        """
        starts, lengths = self.starts[indices], self.lengths[indices]
        if self.are_pooled:
            return torch.tensor(self.values[starts]), torch.from_numpy(lengths)
        rows = [
            torch.tensor(self.values[start : start + n]) for start, n in zip(starts, lengths, strict=True)
        ]
        return pad_sequence(rows, batch_first=True), torch.from_numpy(lengths)


@dataclass(frozen=True)
class Encoded:
    """Texts as token ids and their label ids (N,); with frozen lower blocks, also the states after those."""

    ids: list[list[int]]
    labels: np.ndarray
    states: HiddenStates | None = None


def encode_splits(
    tokenizer: Tokenizer, texts: Labelled, context: int, keep: str, template: str = TEXT
) -> tuple[dict[str, Encoded], int]:
    """Encode every split; the number of texts that are longer than the context is returned and logged."""
    encoded, truncated = {}, 0
    for split in texts.splits:
        ids, too_long = encode(tokenizer, texts.texts(split), context, keep, template)
        encoded[split] = Encoded(ids, texts.ids(split))
        truncated += too_long
    if truncated:
        lost = "end" if keep == "beginning" else "beginning"
        log.warning(
            f"classify: {truncated:,} texts exceed the context of {context} tokens and lost their {lost}"
        )
    return encoded, truncated


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
