"""Batches for instruction tuning: (ids, targets), both (B, T), whose targets are the answers' tokens alone.

A row is one conversation, or several that are packed into one; then a third tensor, segments (B, T), keeps them apart.
Padding stands to the right of each row's end and is no target.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from foundling.data.batches import Batch, EpochBatches, EqualBatches, OrderedBatches, TrainingData, in_batches
from foundling.data.conversations import Example, together
from foundling.data.language import drawn_documents
from foundling.data.packing import pack
from foundling.data.shards import Source
from foundling.data.splits import TRAIN, VALIDATION
from foundling.model.loss import IGNORE_INDEX
from foundling.text.prompts import Rendered, Template, render
from foundling.text.tokenizer import Tokenizer

log = logging.getLogger(__name__)
CUT = "cut: conversations longer than the context"
UNANSWERED = "left out: conversations without an answer to learn"


@dataclass(frozen=True)
class Row:
    """What a model reads (T,) and what is to follow each token (T,), IGNORE_INDEX where the loss does not count."""

    ids: np.ndarray
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Reading:
    """How conversations become rows; as in conf/instruct."""

    template: Template
    loss_on: str
    learn_end: bool
    context: int
    keep: str  # what of a conversation that is longer than the context: its beginning or its end

    def __post_init__(self) -> None:
        if self.keep not in ("beginning", "end"):
            raise ValueError(f"found instruct.keep={self.keep!r}; allowed are beginning and end; try end")

    def rows(
        self, examples: Sequence[Example], tokenizer: Tokenizer, split: str, changes: Counter[str] | None = None
    ) -> list[Row]:
        """Encode; what is too long is cut, and what then has nothing to learn is left out; log and `changes` say so."""
        rows, cut = [], 0
        for example in examples:
            done = self.render(example, tokenizer)
            ids = np.array(done.ids, dtype=np.int64)
            targets = np.where(done.learned, ids, IGNORE_INDEX)
            if len(ids) > self.context + 1:
                cut += 1
                kept = slice(None, self.context + 1) if self.keep == "beginning" else slice(-self.context - 1, None)
                ids, targets = ids[kept], targets[kept]
            if (targets[1:] != IGNORE_INDEX).any():
                rows.append(Row(ids[:-1], targets[1:]))
        if cut:
            log.warning(
                f"instruct: {cut:,} of {len(examples):,} conversations in {split} are longer than the context of "
                f"{self.context} tokens and keep their {self.keep}; {len(examples) - len(rows):,} have no answer left"
            )
        if changes is not None:
            changes.update({CUT: cut, UNANSWERED: len(examples) - len(rows)})
        if not rows:
            raise ValueError(
                f"no conversation of the split {split} has an answer within the context of {self.context} tokens; "
                "set instruct.keep=end, or tune a base with a longer model.context"
            )
        return rows

    def render(self, example: Example, tokenizer: Tokenizer) -> Rendered:
        """The ids of a whole conversation, with what the loss counts."""
        return render(example.messages, self.template, tokenizer, loss_on=self.loss_on, end=self.learn_end)

    def as_turns(self, examples: Sequence[Example], tokenizer: Tokenizer, turns: int, seed: int) -> list[Example]:
        """Let examples follow each other as turns of one conversation, so that a chat's history is nothing new.

        Which ones, and how many up to `turns`, is drawn by the seed; a conversation grows no longer than the context.
        """
        if turns == 1:
            return list(examples)
        random = np.random.Generator(np.random.Philox(key=seed))
        groups: list[list[Example]] = []
        left = most = 0
        for i in random.permutation(len(examples)):
            size = len(self.render(examples[i], tokenizer).ids)
            if most == 0 or size > left:
                groups.append([])
                left, most = self.context + 1, int(random.integers(1, turns + 1))
            groups[-1].append(examples[i])
            left, most = left - size, most - 1
        return [together(group) for group in groups]


def training_batches(
    rows: Sequence[Row], batch_size: int, bucket: int, packing: bool, context: int, steps: int, seed: int
) -> EpochBatches:
    """Batches of `batch_size` rows; with `packing` a row holds as many conversations as fit into `context`."""
    sizes = np.array([len(row) for row in rows])
    groups = pack(sizes, context, seed) if packing else [[i] for i in range(len(rows))]
    lengths = np.array([sizes[group].sum() for group in groups])
    batch_size = min(batch_size, len(groups))

    def collate(chosen: np.ndarray) -> Batch:
        return as_batch([[rows[i] for i in groups[group]] for group in chosen], packed=packing)

    plan = EqualBatches(lengths, batch_size, bucket, -(-len(groups) // batch_size))
    return EpochBatches(plan, collate, steps, seed)


def ordered_batches(rows: Sequence[Row], batch_size: int) -> OrderedBatches:
    """A whole split by length, one conversation a row."""
    order = np.array(sorted(range(len(rows)), key=lambda i: len(rows[i])))
    batches = in_batches(order, batch_size)
    return OrderedBatches(batches, lambda chosen: as_batch([[rows[i]] for i in chosen], packed=False))


def as_batch(groups: Sequence[Sequence[Row]], *, packed: bool) -> Batch:
    """Rows to (ids, targets) and, when several share a row, segments, each (B, T); right of their end is padding."""
    longest = max(sum(map(len, group)) for group in groups)
    ids = np.zeros((len(groups), longest), dtype=np.int64)
    targets = np.full_like(ids, IGNORE_INDEX)
    segments = np.full_like(ids, -1)
    for at, group in enumerate(groups):
        end = sum(map(len, group))
        ids[at, :end] = np.concatenate([row.ids for row in group])
        targets[at, :end] = np.concatenate([row.targets for row in group])
        segments[at, :end] = np.repeat(np.arange(len(group)), [len(row) for row in group])
    tensors = (ids, targets, segments) if packed else (ids, targets)
    return tuple(map(torch.from_numpy, tensors))


class InstructionData(TrainingData):
    """Training and validation batches of one dataset of conversations.

    `rehearsal` is the share of the training rows that are texts of the base's corpus instead, learned whole, so that
    what the base knows is not forgotten (Robins 1995; the "pretraining mix" of Ouyang et al. 2022).
    """

    def __init__(
        self,
        splits: dict[str, list[Example]],
        tokenizer: Tokenizer,
        reading: Reading,
        *,
        turns: int,
        batch_size: int,
        bucket: int,
        packing: bool,
        steps: int,
        seed: int,
        workers: int,
        rehearsal: float = 0.0,
        corpus: list[Source] | None = None,
        changes: Counter[str] | None = None,
    ) -> None:
        if not 0 <= rehearsal < 1:
            raise ValueError(f"found instruct.rehearsal={rehearsal}; allowed is a share from 0 to below 1; try 0.1")
        if turns < 1:
            raise ValueError(f"found instruct.turns={turns}; it is at least 1, which leaves each conversation alone")
        asked = {TRAIN: reading.as_turns(splits[TRAIN], tokenizer, turns, seed), VALIDATION: splits[VALIDATION]}
        rows = {split: reading.rows(those, tokenizer, split, changes) for split, those in asked.items()}
        counted = [row.targets[row.targets != IGNORE_INDEX] for row in rows[VALIDATION]]
        self.validation_bytes = sum(len(tokenizer.decode_bytes(ids.tolist())) for ids in counted)
        if rehearsal:
            count = round(len(rows[TRAIN]) * rehearsal / (1 - rehearsal))
            texts = drawn_documents(corpus or [], count, reading.context, tokenizer.end_of_text, seed)
            rows[TRAIN] += [Row(text[:-1], text[1:]) for text in texts]
        training = training_batches(rows[TRAIN], batch_size, bucket, packing, reading.context, steps, seed)
        self.batches_per_epoch = training.batches_per_epoch
        self.tokens_per_step = round(sum(map(len, rows[TRAIN])) / self.batches_per_epoch)
        super().__init__(training, ordered_batches(rows[VALIDATION], batch_size), steps, workers)
