"""Batches of pairs: a function of seed and step, of similar lengths, with the length of each sentence."""

import logging
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from foundling.data.batches import EpochBatches
from foundling.data.pairs import Pair
from foundling.data.translation import TOO_LONG, EncodedPairs, TranslationData, cuts, encode
from foundling.model.loss import IGNORE_INDEX
from foundling.text.vocabularies import characters

RANDOM = np.random.default_rng(0)
LENGTHS = RANDOM.integers(2, 30, size=(203, 2))


@pytest.fixture
def pairs() -> EncodedPairs:
    """Pair i is the id i, as often as its sides are long; targets stand between two ends (999)."""
    return EncodedPairs(
        [[i] * int(s) for i, (s, _) in enumerate(LENGTHS)],
        [[999, *[i] * int(t), 999] for i, (_, t) in enumerate(LENGTHS)],
    )


def batches(pairs: EncodedPairs, batch_tokens: int = 300, seed: int = 1) -> EpochBatches:
    data = TranslationData(pairs, pairs, batch_tokens=batch_tokens, steps=60, seed=seed, workers=0)
    made: EpochBatches = data.training  # type: ignore[assignment]
    return made


def test_every_epoch_reads_each_pair_once_with_its_own_lengths_and_targets(pairs: EncodedPairs) -> None:
    made = batches(pairs)
    for epoch in range(3):
        seen = []
        for step in range(epoch * made.batches_per_epoch, (epoch + 1) * made.batches_per_epoch):
            source, lengths, inputs, targets = made[step]
            assert source.shape == (len(lengths), max(lengths))
            assert inputs.shape == targets.shape
            for row, length, given_, wanted in zip(source, lengths, inputs, targets, strict=True):
                i, long = int(row[0]), int(LENGTHS[int(row[0]), 1])
                assert length == LENGTHS[i, 0]
                assert (row[:length] == i).all()
                assert given_[: long + 1].tolist() == [999, *[i] * long]
                assert wanted.tolist() == [*[i] * long, 999, *[IGNORE_INDEX] * (len(wanted) - long - 1)]
                seen.append(i)
        assert sorted(seen) == list(range(203))


def test_a_batch_is_a_function_of_seed_and_step(pairs: EncodedPairs) -> None:
    made, again = batches(pairs), batches(pairs)
    forwards = [made[step] for step in range(60)]
    for step in reversed(range(60)):
        assert all(torch.equal(a, b) for a, b in zip(forwards[step], again[step], strict=True))
    first = made[0][0]
    assert not any(
        torch.equal(first, other[step][0])
        for other, step in ((made, made.batches_per_epoch), (batches(pairs, seed=2), 0))
    )


def test_batches_hold_about_as_many_tokens_and_little_padding(pairs: EncodedPairs) -> None:
    made = batches(pairs)
    sizes = np.array(
        [int(made[i][1].sum() + (made[i][3] != IGNORE_INDEX).sum()) for i in range(made.batches_per_epoch)]
    )
    assert sizes.sum() == LENGTHS.sum() + 203
    assert abs(sizes - 300).max() < 100
    padded = sum(made[i][0].numel() for i in range(made.batches_per_epoch))
    assert padded < 1.1 * LENGTHS[:, 0].sum()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50)), min_size=1, max_size=60), st.integers(1, 400)
)
def test_no_part_is_empty_and_none_is_far_from_its_size(
    lengths: list[tuple[int, int]], batch_tokens: int
) -> None:
    ordered = np.array(sorted(lengths))
    parts = np.split(ordered, cuts(ordered, batch_tokens))
    assert np.array_equal(np.concatenate(parts), ordered)
    assert all(len(part) for part in parts)
    share = ordered.sum() / max(1, round(ordered.sum() / batch_tokens))
    assert all(part.sum() < share + ordered.sum(axis=1).max() for part in parts)


def test_validation_reads_each_pair_once(pairs: EncodedPairs) -> None:
    made = TranslationData(pairs, pairs, batch_tokens=300, steps=1, seed=1, workers=0).validation
    assert sorted(int(i) for batch in range(len(made)) for i in made[batch][0][:, 0]) == list(range(203))


def test_the_data_module_gives_as_many_batches_as_steps(pairs: EncodedPairs) -> None:
    data = TranslationData(pairs, pairs, batch_tokens=300, steps=20, seed=1, workers=0)
    assert len(list(data.train_dataloader())) == 20
    assert sum(len(lengths) for _, lengths, _, _ in data.val_dataloader()) == 203


def test_sentences_get_their_ends_and_too_long_ones_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    letters = characters(["abcdefgh"])
    end = letters.end_of_text
    changes: Counter[str] = Counter()
    pairs = [Pair("abc", "h", "mine"), Pair("abcdefg", "h", "mine"), Pair("a", "abcdefgh", "mine")]
    with caplog.at_level(logging.WARNING):
        rows = encode(letters, pairs, context=6, split="train", changes=changes)
    assert rows.sources == [[*letters.encode("abc"), end]]
    assert rows.targets == [[end, *letters.encode("h"), end]]
    assert rows.lengths.tolist() == [[4, 2]]
    assert "2 of 3 pairs in train exceed the context of 6 tokens" in caplog.text
    assert changes == {TOO_LONG: 2}
    with pytest.raises(ValueError, match="no pair of the split test fits into the context of 2 tokens"):
        encode(letters, pairs, context=2, split="test", changes=changes)
