"""Batches hold each answer once an epoch and follow from the seed and the step; packing changes nothing but rows."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from foundling.data.batches import EpochBatches
from foundling.data.conversations import Example, together
from foundling.data.instruction import InstructionData, Reading, Row, as_batch, training_batches
from foundling.data.packing import pack
from foundling.data.shards import Source
from foundling.data.splits import TRAIN, VALIDATION
from foundling.model.gpt import GPT
from foundling.model.loss import IGNORE_INDEX, next_token_loss
from foundling.text.prompts import ASSISTANT, SYSTEM, TEMPLATES, USER, Message
from foundling.text.tokenizer import END_OF_TEXT, GPT2_PATTERN, Tokenizer

TOKENIZER = Tokenizer(
    {bytes([i]): i for i in range(256)},
    GPT2_PATTERN,
    [END_OF_TEXT, "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"],
)
CONTEXT = 48


def example(question: str, answer: str) -> Example:
    return Example((Message(USER, question), Message(ASSISTANT, answer)), None, {}, "mine")


EXAMPLES = [example("a" * (1 + n % 17), f"{n}" * (1 + n % 3)) for n in range(100)]


def reading(**changes: Any) -> Reading:
    asked = {"loss_on": "answer", "learn_end": True, "context": CONTEXT, "keep": "end"} | changes
    return Reading(TEMPLATES["phi3"], **asked)


def batches(packing: bool = False, seed: int = 1, **changes: Any) -> EpochBatches:
    rows = reading().rows(EXAMPLES, TOKENIZER, TRAIN)
    asked = {"batch_size": 8, "bucket": 4, "context": CONTEXT, "steps": 50} | changes
    return training_batches(rows, packing=packing, seed=seed, **asked)


def answers(batch: tuple[torch.Tensor, ...]) -> str:
    return TOKENIZER.decode(batch[1][batch[1] != IGNORE_INDEX].tolist())


def test_targets_are_the_answer_and_its_end_and_follow_what_they_are_read_from() -> None:
    (row,) = reading().rows([example("Who?", "Ben.")], TOKENIZER, TRAIN)
    assert TOKENIZER.decode(row.targets[row.targets != IGNORE_INDEX].tolist()) == f"Ben.{END_OF_TEXT}"
    assert TOKENIZER.decode([*row.ids.tolist()]) == "<|user|>\nWho?<|end|>\n<|assistant|>\nBen."
    counted = row.targets != IGNORE_INDEX
    assert row.targets[counted][:-1].tolist() == row.ids[1:][counted[:-1]].tolist()


@pytest.mark.parametrize("packing", [False, True])
def test_an_epoch_holds_each_answer_once(packing: bool) -> None:
    made = batches(packing)
    epochs = [
        Counter(
            "".join(answers(made[e * made.batches_per_epoch + i]) for i in range(made.batches_per_epoch)).split(
                END_OF_TEXT
            )
        )
        for e in (0, 1)
    ]
    assert epochs[0] == epochs[1] == Counter([*(e.answer for e in EXAMPLES), ""])
    assert answers(made[0]) != answers(made[made.batches_per_epoch])


@pytest.mark.parametrize("packing", [False, True])
def test_a_batch_follows_from_the_seed_and_the_step_alone(packing: bool) -> None:
    in_order, straight = batches(packing), batches(packing)
    for step in range(30):
        last = in_order[step]
    assert all(torch.equal(a, b) for a, b in zip(last, straight[29], strict=True))
    assert answers(batches(packing, seed=2)[29]) != answers(last)


def test_rows_of_like_length_share_a_batch() -> None:
    tokens = sum(map(len, reading().rows(EXAMPLES, TOKENIZER, TRAIN)))

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
    rows = [Row(np.arange(n) % 250, np.arange(1, n + 1) % 250) for n in (3, 9, 1, 5)]

    def losses(groups: list[list[Row]], is_packed: bool) -> tuple[torch.Tensor, list[torch.Tensor]]:
        ids, targets, *segments = as_batch(groups, packed=is_packed)
        logits = model(ids, segments=segments[0]) if segments else model(ids)
        found = next_token_loss(logits, targets, reduction="none")
        loss = next_token_loss(logits, targets)
        return found[targets != IGNORE_INDEX], [loss.detach(), *torch.autograd.grad(loss, list(model.parameters()))]

    alone = losses([[row] for row in rows], is_packed=False)
    packed = losses([rows[:3], rows[3:]], is_packed=True)
    for one, other in zip(alone[1], packed[1], strict=True):
        torch.testing.assert_close(one, other, atol=2e-4, rtol=1e-3)
    torch.testing.assert_close(alone[0].sort().values, packed[0].sort().values, atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize(("keep", "kept"), [("end", "aaBen."), ("beginning", "aaa")])
def test_what_is_too_long_is_cut_at_the_stated_side_and_counted(
    keep: str, kept: str, caplog: pytest.LogCaptureFixture
) -> None:
    long = example("a" * 100, "Ben.")
    rows = reading(keep=keep).rows([long, example("b", "c")], TOKENIZER, TRAIN)
    assert (
        f"1 of 2 conversations in train are longer than the context of 48 tokens and keep their {keep}; " in caplog.text
    )
    assert f"{2 - len(rows)} have no answer left" in caplog.text
    assert len(rows) == (2 if keep == "end" else 1)
    assert all(len(row) <= CONTEXT for row in rows)
    if keep == "end":
        assert TOKENIZER.decode(rows[0].ids.tolist()).endswith("Ben.")
    with pytest.raises(ValueError, match=r"no conversation of the split train has an answer within the context of 48"):
        reading(keep="beginning").rows([long], TOKENIZER, TRAIN)


def test_an_unknown_part_to_keep_is_refused() -> None:
    with pytest.raises(ValueError, match="keep='middle'; allowed are beginning and end"):
        reading(keep="middle")


def test_turns_join_each_example_once_into_conversations_that_fit() -> None:
    opened = [
        Example((Message(SYSTEM, "Hi"), *e.messages), None, {}, "mine") if i % 2 else e for i, e in enumerate(EXAMPLES)
    ]
    joined = reading().as_turns(opened, TOKENIZER, 3, seed=1)
    said = [m.text for e in joined for m in e.messages if m.role == ASSISTANT]
    assert sorted(said) == sorted(e.answer for e in EXAMPLES)
    counts = {sum(m.role == USER for m in e.messages) for e in joined}
    assert counts == {1, 2} or counts == {1, 2, 3}
    assert all(m.role != SYSTEM for e in joined for m in e.messages[1:])
    assert all(len(reading().render(e, TOKENIZER).ids) <= CONTEXT + 1 for e in joined)
    assert (
        joined == reading().as_turns(opened, TOKENIZER, 3, seed=1) != reading().as_turns(opened, TOKENIZER, 3, seed=2)
    )
    assert reading().as_turns(opened, TOKENIZER, 1, seed=1) == opened


def test_each_turn_of_a_joined_conversation_is_learned_under_what_came_before() -> None:
    (row,) = reading().rows([together([example("a", "b"), example("c", "d")])], TOKENIZER, TRAIN)
    assert TOKENIZER.decode(row.targets[row.targets != IGNORE_INDEX].tolist()) == f"b{END_OF_TEXT}d{END_OF_TEXT}"
    assert TOKENIZER.decode(row.ids.tolist()).count("<|user|>") == 2


def test_the_data_module_counts_the_validation_answers_bytes() -> None:
    splits = {TRAIN: EXAMPLES, VALIDATION: [example("Who?", "Zoë"), example("What?", "x")]}
    data = InstructionData(
        splits, TOKENIZER, reading(), turns=1, batch_size=8, bucket=4, packing=False, steps=3, seed=1, workers=0
    )
    assert data.validation_bytes == len(f"Zoë{END_OF_TEXT}x{END_OF_TEXT}".encode())
    assert len(list(data.train_dataloader())) == 3
    assert sum(len(ids) for ids, _ in data.val_dataloader()) == 2


def test_a_share_of_the_rows_rehearses_the_base_s_corpus_whole() -> None:
    text = [TOKENIZER.end_of_text, *TOKENIZER.encode("Once upon a time.")]
    corpus = [Source("a", 1.0, np.array(text * 20, dtype=np.uint16), bytes=1)]
    asked = {"turns": 1, "batch_size": 8, "bucket": 4, "packing": False, "steps": 9, "seed": 1, "workers": 0}
    splits = {TRAIN: EXAMPLES, VALIDATION: EXAMPLES[:8]}
    data = InstructionData(splits, TOKENIZER, reading(), **asked, rehearsal=0.2, corpus=corpus)
    plain = InstructionData(splits, TOKENIZER, reading(), **asked)
    epoch = [data.training[step] for step in range(data.batches_per_epoch)]
    rows = [row for ids, targets in epoch for row in zip(ids.tolist(), targets.tolist(), strict=True)]
    assert len(rows) == 125
    length, learned = len(text), [*text[1:], TOKENIZER.end_of_text]
    rehearsed = [targets[:length] for ids, targets in rows if ids[:length] == text]
    assert rehearsed == [learned] * 25
    assert data.validation_bytes == plain.validation_bytes
    with pytest.raises(ValueError, match=r"instruct\.rehearsal=1; allowed is a share from 0 to below 1"):
        InstructionData(splits, TOKENIZER, reading(), **asked, rehearsal=1, corpus=corpus)
