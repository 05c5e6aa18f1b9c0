"""Batches for translation: (source, lengths, inputs, targets) of shapes (B, S), (B,), (B, T), (B, T).

A source ends with the end-of-text token. A target is between two of them: the first is the decoder's first
input, the last is its last target. Padding is on the right: in the source it is masked by length, in the
targets it is IGNORE_INDEX.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from foundling.data.batches import Batch, EpochBatches, OrderedBatches, padded
from foundling.data.datamodule import TrainingData
from foundling.data.pairs import Pair
from foundling.model.loss import IGNORE_INDEX
from foundling.text.tokenizer import Tokenizer

log = logging.getLogger(__name__)
TOO_LONG = "left out: pairs longer than the context"


@dataclass(frozen=True)
class EncodedPairs:
    """Pairs as token ids, with their end-of-text tokens."""

    sources: Sequence[list[int]]
    targets: Sequence[list[int]]

    @property
    def lengths(self) -> np.ndarray:
        """The numbers of source tokens and of decoder inputs, (N, 2)."""
        return np.array([(len(s), len(t) - 1) for s, t in zip(self.sources, self.targets, strict=True)])


def encode(
    tokenizer: Tokenizer, pairs: Sequence[Pair], context: int, split: str, changes: Counter[str]
) -> EncodedPairs:
    """Encode the pairs with at most `context` tokens per side; `changes` counts those that are left out."""
    end = tokenizer.end_of_text
    sources = [[*ids, end] for ids in tokenizer.encode_batch([pair.source for pair in pairs], threads=1)]
    targets = [[end, *ids, end] for ids in tokenizer.encode_batch([pair.target for pair in pairs], threads=1)]
    both = zip(sources, targets, strict=True)
    fitting = [(s, t) for s, t in both if len(s) <= context and len(t) - 1 <= context]
    if not fitting:
        raise ValueError(
            f"no pair of the split {split} fits into the context of {context} tokens; "
            "increase train_translator.model.context"
        )
    if too_long := len(pairs) - len(fitting):
        log.warning(
            f"train_translator: {too_long:,} of {len(pairs):,} pairs in {split} exceed the context of "
            f"{context} tokens and are left out"
        )
        changes[TOO_LONG] += too_long
    return EncodedPairs(*map(list, zip(*fitting, strict=True)))


class TokenBatches:
    """Batches of about `batch_tokens` tokens, of pairs of similar length (Vaswani et al. 2017, 5.1).

    In each epoch pairs are sorted by length, with those of equal length in random order, and the batches are
    shuffled. The sorted lengths are the same in all epochs, and so are the boundaries between batches.
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
    """The stable order (N,) of pairs by their lengths (N, 2), the source's first."""
    return np.lexsort((lengths[:, 1], lengths[:, 0]))


def cuts(lengths: np.ndarray, batch_tokens: int) -> np.ndarray:
    """The boundaries between batches of about `batch_tokens` tokens, for ordered lengths (N, 2).

    The batches are as equal as possible, and none is empty. Both sides are counted, padding is not.
    """
    ends = lengths.sum(axis=1).cumsum()
    batches = (ends - 1) * max(1, round(ends[-1] / batch_tokens)) // ends[-1]
    return np.flatnonzero(np.diff(batches)) + 1


def as_batch(pairs: EncodedPairs, indices: np.ndarray) -> Batch:
    """The padded pairs at these indices."""
    source, lengths = padded([pairs.sources[i] for i in indices])
    target, ends = padded([pairs.targets[i] for i in indices])  # (B, T + 1)
    is_padding = torch.arange(1, target.size(1)) >= ends[:, None]  # (B, T)
    return source, lengths, target[:, :-1], target[:, 1:].masked_fill(is_padding, IGNORE_INDEX)


class TranslationData(TrainingData):
    """Training and validation batches of encoded pairs."""

    def __init__(
        self,
        train: EncodedPairs,
        validation: EncodedPairs,
        *,
        batch_tokens: int,
        steps: int,
        seed: int,
        workers: int,
    ) -> None:
        plan = TokenBatches(train.lengths, batch_tokens)
        self.batches_per_epoch = plan.batches_per_epoch
        self.tokens_per_step = int(train.lengths.sum()) // plan.batches_per_epoch
        order = by_length(validation.lengths)
        batches = np.split(order, cuts(validation.lengths[order], batch_tokens))
        super().__init__(
            EpochBatches(plan, partial(as_batch, train), steps, seed),
            OrderedBatches(batches, partial(as_batch, validation)),
            steps,
            workers,
        )
