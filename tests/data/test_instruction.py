"""Batches contain each answer once per epoch, a function of seed and step; packing changes only the rows."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from foundling.config import compose
from foundling.data.batches import EpochBatches
from foundling.data.conversations import Example, join_turns
from foundling.data.instruction import (
    CUT,
    NO_RESPONSE,
    ConversationEncoder,
    InstructionData,
    Row,
    as_batch,
    training_batches,
)
from foundling.data.packing import pack
from foundling.data.shards import Source
from foundling.data.splits import TRAIN, VALIDATION
from foundling.model.gpt import GPT
from foundling.model.loss import IGNORE_INDEX, next_token_loss
from foundling.settings import Job
from foundling.settings.training import Instruct
from foundling.text.prompts import ASSISTANT, SYSTEM, USER, Message
from foundling.text.tiktoken_tokenizer import GPT2_PATTERN, TiktokenTokenizer
from foundling.text.tokenizer import END_OF_TEXT

TOKENIZER = TiktokenTokenizer(
    {bytes([i]): i for i in range(256)},
    GPT2_PATTERN,
    [END_OF_TEXT, "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"],
)
CONTEXT = 48


def example(question: str, answer: str) -> Example:
    return Example((Message(USER, question), Message(ASSISTANT, answer)), None, {}, "mine")


EXAMPLES = [example("a" * (1 + n % 17), f"{n}" * (1 + n % 3)) for n in range(100)]


@cache
def composed() -> Instruct:
    small = ["batch_size=8", "bucket=4", "max_steps=50", "seed=1"]
    overrides = ["instruct=files", "instruct.path=mine", *(f"instruct.{setting}" for setting in small)]
    return Job.of(compose(overrides), Path()).settings.instruct


def encoder(**changes: Any) -> ConversationEncoder:
    return ConversationEncoder(TOKENIZER, replace(composed(), **changes), CONTEXT)


def rows(examples: list[Example], **changes: Any) -> list[Row]:
    return encoder(**changes).rows(examples, TRAIN, Counter())


def batches(**changes: Any) -> EpochBatches:
    return training_batches(rows(EXAMPLES), replace(composed(), **changes), CONTEXT)


def answers(batch: tuple[torch.Tensor, ...]) -> str:
    return TOKENIZER.decode(batch[1][batch[1] != IGNORE_INDEX].tolist())


def test_targets_are_the_answer_and_its_end_and_follow_what_they_are_read_from() -> None:
    (row,) = rows([example("Who?", "Ben.")])
    assert TOKENIZER.decode(row.targets[row.targets != IGNORE_INDEX].tolist()) == f"Ben.{END_OF_TEXT}"
    assert TOKENIZER.decode([*row.ids.tolist()]) == "<|user|>\nWho?<|end|>\n<|assistant|>\nBen."
    counted = row.targets != IGNORE_INDEX
    assert row.targets[counted][:-1].tolist() == row.ids[1:][counted[:-1]].tolist()


@pytest.mark.parametrize("packing", [False, True])
def test_an_epoch_holds_each_answer_once(packing: bool) -> None:
    made = batches(packing=packing)
    epochs = [
        Counter(
            "".join(
                answers(made[e * made.batches_per_epoch + i]) for i in range(made.batches_per_epoch)
            ).split(END_OF_TEXT)
        )
        for e in (0, 1)
    ]
    assert epochs[0] == epochs[1] == Counter([*(e.response for e in EXAMPLES), ""])
    assert answers(made[0]) != answers(made[made.batches_per_epoch])


@pytest.mark.parametrize("packing", [False, True])
def test_a_batch_follows_from_the_seed_and_the_step_alone(packing: bool) -> None:
    in_order, straight = batches(packing=packing), batches(packing=packing)
    for step in range(30):
        last = in_order[step]
    assert all(torch.equal(a, b) for a, b in zip(last, straight[29], strict=True))
    assert answers(batches(packing=packing, seed=2)[29]) != answers(last)


def test_rows_of_like_length_share_a_batch() -> None:
    tokens = sum(map(len, rows(EXAMPLES)))

    def padding(made: EpochBatches) -> float:
        those = [made[i] for i in range(made.batches_per_epoch)]
        return 1 - tokens / sum(ids.numel() for ids, _ in those)

    assert padding(batches(bucket=12)) < 0.1 < padding(batches(bucket=1))
    packed = batches(packing=True)
    assert sum(packed[i][0].numel() for i in range(packed.batches_per_epoch)) < 1.1 * tokens


@given(st.lists(st.integers(1, 20), min_size=1, max_size=80), st.integers(0, 3))
@settings(deadline=None)
def test_packing_puts_each_example_into_one_group_that_fits(sizes: list[int], seed: int) -> None:
    groups = pack(np.array(sizes), 20, seed, window=32)
    assert sorted(i for group in groups for i in group) == list(range(len(sizes)))
    assert all(sum(sizes[i] for i in group) <= 20 for group in groups)


@pytest.mark.parametrize("name", ["micro", "char", "llama"])
def test_packed_examples_have_the_losses_and_gradients_that_they_have_alone(
    gpt_config: Callable[..., Any], name: str
) -> None:
    torch.manual_seed(0)
    model = GPT(gpt_config(name, vocab_size=TOKENIZER.vocab_size, context=CONTEXT, n_layer=2))
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.2)
    made = [Row(np.arange(n) % 250, np.arange(1, n + 1) % 250) for n in (3, 9, 1, 5)]

    def losses(groups: list[list[Row]], is_packed: bool) -> tuple[torch.Tensor, list[torch.Tensor]]:
        ids, targets, *segments = as_batch(groups, packed=is_packed)
        logits = model(ids, segments=segments[0]) if segments else model(ids)
        found = next_token_loss(logits, targets, reduction="none")
        loss = next_token_loss(logits, targets)
        return found[targets != IGNORE_INDEX], [
            loss.detach(),
            *torch.autograd.grad(loss, list(model.parameters())),
        ]

    alone = losses([[row] for row in made], is_packed=False)
    packed = losses([made[:3], made[3:]], is_packed=True)
    for one, other in zip(alone[1], packed[1], strict=True):
        torch.testing.assert_close(one, other, atol=2e-4, rtol=1e-3)
    torch.testing.assert_close(alone[0].sort().values, packed[0].sort().values, atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize(("keep", "kept"), [("end", "aa<|end|>\n<|assistant|>\nBen."), ("beginning", "")])
def test_what_is_too_long_is_cut_at_the_stated_side_and_counted(
    keep: str, kept: str, caplog: pytest.LogCaptureFixture
) -> None:
    long = example("a" * 100, "Ben.")
    changes: Counter[str] = Counter()
    kept_rows = encoder(keep=keep).rows([long, example("b", "c")], TRAIN, changes)
    left_out = 0 if keep == "end" else 1
    assert (
        f"1 of 2 conversations in train are cut to their {keep}, since the context has 48 tokens; "
        in caplog.text
    )
    assert f"{left_out} have no response left" in caplog.text
    assert changes == {CUT: 1, NO_RESPONSE: left_out}
    assert len(kept_rows) == 2 - left_out
    assert all(len(row) <= CONTEXT for row in kept_rows)
    if keep == "end":
        assert TOKENIZER.decode(kept_rows[0].ids.tolist()).endswith(kept)
    with pytest.raises(
        ValueError, match=r"no conversation of the split train has a response within the context of 48"
    ):
        rows([long], keep="beginning")


def test_turns_join_each_example_once_into_conversations_that_fit() -> None:
    opened = [
        Example((Message(SYSTEM, "Hi"), *e.messages), None, {}, "mine") if i % 2 else e
        for i, e in enumerate(EXAMPLES)
    ]
    joined = encoder(turns=3).as_turns(opened)
    said = [m.text for e in joined for m in e.messages if m.role == ASSISTANT]
    assert sorted(said) == sorted(e.response for e in EXAMPLES)
    counts = {sum(m.role == USER for m in e.messages) for e in joined}
    assert counts == {1, 2} or counts == {1, 2, 3}
    assert all(m.role != SYSTEM for e in joined for m in e.messages[1:])
    assert all(len(encoder().render(e).ids) <= CONTEXT + 1 for e in joined)
    assert joined == encoder(turns=3).as_turns(opened) != encoder(turns=3, seed=2).as_turns(opened)
    assert encoder(turns=1).as_turns(opened) == opened


def test_each_turn_of_a_joined_conversation_is_learned_under_what_came_before() -> None:
    (row,) = rows([join_turns([example("a", "b"), example("c", "d")])])
    assert (
        TOKENIZER.decode(row.targets[row.targets != IGNORE_INDEX].tolist()) == f"b{END_OF_TEXT}d{END_OF_TEXT}"
    )
    assert TOKENIZER.decode(row.ids.tolist()).count("<|user|>") == 2


def test_the_data_module_counts_the_validation_answers_bytes() -> None:
    splits = {TRAIN: EXAMPLES, VALIDATION: [example("Who?", "Zoë"), example("What?", "x")]}
    data = InstructionData(splits, encoder(max_steps=3), [], Counter(), workers=0)
    assert data.validation_bytes == len(f"Zoë{END_OF_TEXT}x{END_OF_TEXT}".encode())
    assert len(list(data.train_dataloader())) == 3
    assert sum(len(ids) for ids, _ in data.val_dataloader()) == 2


def test_a_share_of_the_rows_rehearses_the_base_s_corpus_whole() -> None:
    text = [TOKENIZER.end_of_text, *TOKENIZER.encode("Once upon a time.")]
    corpus = [Source("a", 1.0, np.array(text * 20, dtype=np.uint16), bytes=1)]
    splits = {TRAIN: EXAMPLES, VALIDATION: EXAMPLES[:8]}
    data = InstructionData(splits, encoder(rehearsal=0.2), corpus, Counter(), workers=0)
    plain = InstructionData(splits, encoder(), [], Counter(), workers=0)
    epoch = [data.training[step] for step in range(data.batches_per_epoch)]
    pairs = [row for ids, targets in epoch for row in zip(ids.tolist(), targets.tolist(), strict=True)]
    assert len(pairs) == 125
    length, learned = len(text), [*text[1:], TOKENIZER.end_of_text]
    rehearsed = [targets[:length] for ids, targets in pairs if ids[:length] == text]
    assert rehearsed == [learned] * 25
    assert data.validation_bytes == plain.validation_bytes
