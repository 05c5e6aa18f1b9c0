"""Batches for instruction tuning: (ids, targets) of conversations, with targets where the loss counts."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from foundling.data.batches import Batch, EpochBatches, EqualBatches, OrderedBatches, in_batches
from foundling.data.conversations import Example, join_turns
from foundling.data.datamodule import TrainingData
from foundling.data.language import drawn_documents
from foundling.data.packing import pack
from foundling.data.shards import Source
from foundling.data.splits import TRAIN, VALIDATION
from foundling.model.loss import IGNORE_INDEX
from foundling.settings.training import Instruct
from foundling.text.chat_template import find_template
from foundling.text.prompts import Rendered, render
from foundling.text.tokenizer import Tokenizer

log = logging.getLogger(__name__)
CUT = "cut: conversations longer than the context"
NO_RESPONSE = "left out: conversations without a response to train on"


@dataclass(frozen=True)
class Row:
    """Ids (T,) and the id that follows each (T,), which is IGNORE_INDEX where the loss does not count it."""

    ids: np.ndarray
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class ConversationEncoder:
    """Encodes conversations as rows of at most `context` tokens."""

    tokenizer: Tokenizer
    settings: Instruct
    context: int

    def rows(self, examples: Sequence[Example], split: str, changes: Counter[str]) -> list[Row]:
        """Encode a split; conversations are cut to the context, and left out if no response remains.

        Both are logged, and counted in `changes`. ValueError if no conversation remains.
        """
        kept = slice(-self.context - 1, None) if self.settings.keep == "end" else slice(self.context + 1)
        rows, cut = [], 0
        for example in examples:
            rendered = self.render(example)
            ids = np.array(rendered.ids, dtype=np.int64)
            targets = np.where(rendered.loss_mask, ids, IGNORE_INDEX)
            cut += len(ids) > self.context + 1
            row = Row(ids[kept][:-1], targets[kept][1:])
            if (row.targets != IGNORE_INDEX).any():
                rows.append(row)
        left_out = len(examples) - len(rows)
        changes.update({CUT: cut, NO_RESPONSE: left_out})
        if cut:
            log.warning(
                f"instruct: {cut:,} of {len(examples):,} conversations in {split} are cut to their "
                f"{self.settings.keep}, since the context has {self.context} tokens; {left_out:,} have no "
                "response left"
            )
        if not rows:
            raise ValueError(
                f"no conversation of the split {split} has a response within the context of {self.context} "
                "tokens; set instruct.keep=end, or tune a base model with a longer model.context"
            )
        return rows

    def render(self, example: Example) -> Rendered:
        template, loss_on = find_template(self.settings.template, self.tokenizer), self.settings.loss_on
        return render(
            example.messages, template, self.tokenizer, loss_on=loss_on, learn_end=self.settings.learn_end
        )

    def as_turns(self, examples: Sequence[Example]) -> list[Example]:
        """Join random examples as conversations of at most `turns` turns that fit into the context."""
        turns = self.settings.turns
        if turns == 1:
            return list(examples)
        random = np.random.Generator(np.random.Philox(key=self.settings.seed))
        groups: list[list[Example]] = []
        tokens_left = turns_left = 0
        for i in random.permutation(len(examples)):
            size = len(self.render(examples[i]).ids)
            if turns_left == 0 or size > tokens_left:
                groups.append([])
                tokens_left, turns_left = self.context + 1, int(random.integers(1, turns + 1))
            groups[-1].append(examples[i])
            tokens_left, turns_left = tokens_left - size, turns_left - 1
        return [join_turns(group) for group in groups]


def training_batches(rows: Sequence[Row], settings: Instruct, context: int) -> EpochBatches:
    """Shuffled batches of `batch_size` rows; with `packing`, several conversations share a row."""
    sizes = np.array([len(row) for row in rows])
    groups = pack(sizes, context, settings.seed) if settings.packing else [[i] for i in range(len(rows))]
    lengths = np.array([sizes[group].sum() for group in groups])
    batch_size = min(settings.batch_size, len(groups))

    def collate(chosen: np.ndarray) -> Batch:
        return as_batch([[rows[i] for i in groups[group]] for group in chosen], packed=settings.packing)

    plan = EqualBatches(lengths, batch_size, settings.bucket, -(-len(groups) // batch_size))
    return EpochBatches(plan, collate, settings.max_steps, settings.seed)


def as_batch(groups: Sequence[Sequence[Row]], *, packed: bool) -> Batch:
    """Pad rows on the right: ids, targets and, if packed, segments, each (B, T); a group is one row."""
    longest = max(sum(map(len, group)) for group in groups)
    ids = np.zeros((len(groups), longest), dtype=np.int64)
    targets = np.full_like(ids, IGNORE_INDEX)
    segments = np.full_like(ids, -1)
    for i, group in enumerate(groups):
        length = sum(map(len, group))
        ids[i, :length] = np.concatenate([row.ids for row in group])
        targets[i, :length] = np.concatenate([row.targets for row in group])
        segments[i, :length] = np.repeat(np.arange(len(group)), [len(row) for row in group])
    return tuple(map(torch.from_numpy, (ids, targets, segments) if packed else (ids, targets)))


class InstructionData(TrainingData):
    """Training and validation batches of conversations.

    `settings.rehearsal` is the share of training rows that are documents of the base model's `corpus`, which
    reduces forgetting (Robins 1995; the "pretraining mix" of Ouyang et al. 2022).
    """

    def __init__(
        self,
        splits: Mapping[str, Sequence[Example]],
        encoder: ConversationEncoder,
        corpus: list[Source],
        changes: Counter[str],
        workers: int,
    ) -> None:
        settings, tokenizer = encoder.settings, encoder.tokenizer
        training_rows = encoder.rows(encoder.as_turns(splits[TRAIN]), TRAIN, changes)
        validation_rows = encoder.rows(splits[VALIDATION], VALIDATION, changes)
        counted = [row.targets[row.targets != IGNORE_INDEX] for row in validation_rows]
        self.validation_bytes = sum(len(tokenizer.decode_bytes(ids.tolist())) for ids in counted)
        if settings.rehearsal:
            count = round(len(training_rows) * settings.rehearsal / (1 - settings.rehearsal))
            documents = drawn_documents(corpus, count, encoder.context, tokenizer.end_of_text, settings.seed)
            training_rows += [Row(ids[:-1], ids[1:]) for ids in documents]
        training = training_batches(training_rows, settings, encoder.context)
        self.batches_per_epoch = training.batches_per_epoch
        self.tokens_per_step = round(sum(map(len, training_rows)) / self.batches_per_epoch)
        by_length = np.argsort([len(row) for row in validation_rows], kind="stable")
        validation = OrderedBatches(
            in_batches(by_length, settings.batch_size),
            lambda indices: as_batch([[validation_rows[i]] for i in indices], packed=False),
        )
        super().__init__(training, validation, settings.max_steps, workers)
