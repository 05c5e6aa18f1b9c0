"""Batches of labelled texts: a function of seed and step, similar lengths, with the length of each text."""

import logging

import numpy as np
import pytest
import torch

from foundling.data.batches import EpochBatches
from foundling.data.classification import ClassificationData, padded
from foundling.data.encoded_texts import Encoded, encode, encode_splits
from foundling.data.labelled import Example, Labelled
from foundling.text.tokenizer import Tokenizer
from foundling.text.vocabularies import characters

LENGTHS = np.random.default_rng(0).integers(3, 40, size=103)


@pytest.fixture
def texts() -> Encoded:
    """Text i is the id i, as often as it is long; its label is whether i is odd."""
    return Encoded([[i] * int(length) for i, length in enumerate(LENGTHS)], np.arange(len(LENGTHS)) % 2)


@pytest.fixture(scope="module")
def letters() -> Tokenizer:
    return characters(["abcdefgh "])


def data(texts: Encoded, bucket: int = 4, seed: int = 1, batch_size: int = 8) -> ClassificationData:
    return ClassificationData(
        texts, texts, batch_size=batch_size, bucket=bucket, steps=39, seed=seed, workers=0
    )


def batches(texts: Encoded, bucket: int = 4, seed: int = 1) -> EpochBatches:
    made: EpochBatches = data(texts, bucket, seed).training  # type: ignore[assignment]
    return made


def test_every_epoch_reads_each_text_once_with_its_own_label_and_length(texts: Encoded) -> None:
    made = batches(texts)
    assert made.batches_per_epoch == 13
    for epoch in range(3):
        seen = []
        for step in range(epoch * 13, epoch * 13 + 13):
            ids, lengths, labels = made[step]
            assert ids.shape == (len(lengths), max(lengths))
            for row, length, label in zip(ids, lengths, labels, strict=True):
                first = int(row[0])
                assert (int(length), int(label)) == (LENGTHS[first], first % 2)
                assert (row[:length] == first).all()
                assert (row[length:] == 0).all()
                seen.append(first)
        assert sorted(seen) == list(range(103))


def test_a_batch_is_a_function_of_seed_and_step(texts: Encoded) -> None:
    made, again = batches(texts), batches(texts)
    forwards = [made[step] for step in range(39)]
    for step in reversed(range(39)):
        assert all(torch.equal(a, b) for a, b in zip(forwards[step], again[step], strict=True))
    assert not torch.equal(made[0][0][:, 0], made[13][0][:, 0])
    assert not torch.equal(made[0][0][:, 0], batches(texts, seed=2)[0][0][:, 0])


def test_buckets_save_padding(texts: Encoded) -> None:
    def waste(bucket: int) -> float:
        return sum(batches(texts, bucket)[step][0].numel() for step in range(13)) / LENGTHS.sum() - 1

    assert waste(13) < waste(4) < waste(1)
    assert waste(4) < 0.3


def test_validation_reads_each_text_once(texts: Encoded) -> None:
    made = data(texts, batch_size=5).validation
    assert sorted(int(i) for batch in range(len(made)) for i in made[batch][0][:, 0]) == list(range(103))


def test_the_data_module_gives_as_many_batches_as_steps(texts: Encoded) -> None:
    data = ClassificationData(texts, texts, batch_size=8, bucket=4, steps=20, seed=1, workers=0)
    assert len(list(data.train_dataloader())) == 20
    assert sum(len(labels) for _, _, labels in data.val_dataloader()) == 103


def test_a_text_is_between_two_end_of_text_tokens(letters: Tokenizer) -> None:
    rows, cut = encode(letters, ["abc", "a"], context=8, keep="beginning")
    end = letters.end_of_text
    assert rows == [[end, *letters.encode("abc"), end], [end, *letters.encode("a"), end]]
    assert cut == 0


@pytest.mark.parametrize(("keep", "kept"), [("beginning", "ab"), ("end", "cd")])
def test_a_template_surrounds_what_is_kept_of_a_text(letters: Tokenizer, keep: str, kept: str) -> None:
    rows, cut = encode(letters, ["abcd", "a"], context=7, keep=keep, template="g{text}hf")
    assert [letters.decode(row[1:-1]) for row in rows] == [f"g{kept}hf", "gahf"]
    assert (rows[0][0], rows[0][-1], cut) == (letters.end_of_text, letters.end_of_text, 1)


@pytest.mark.parametrize(("keep", "kept"), [("beginning", "abcd"), ("end", "efgh")])
def test_too_long_a_text_loses_the_stated_side(letters: Tokenizer, keep: str, kept: str) -> None:
    rows, cut = encode(letters, ["abcdefgh", "abcd"], context=6, keep=keep)
    assert letters.decode(rows[0][1:-1]) == kept
    assert cut == 1
    assert len(rows[0]) == 6


def test_what_is_cut_is_logged(letters: Tokenizer, caplog: pytest.LogCaptureFixture) -> None:
    examples = [Example(text, "ab"[i], "here", "mine") for i, text in enumerate(("abcdefgh", "abc"))]
    texts = Labelled(["a", "b"], {"train": examples, "test": examples}, {}, [])
    with caplog.at_level(logging.WARNING):
        found, cut = encode_splits(letters, texts, 6, "end")
    assert cut == 2
    assert "2 texts exceed the context of 6 tokens and lost their beginning" in caplog.text
    assert found["test"].labels.tolist() == [0, 1]


def test_padding_returns_the_lengths_of_rows() -> None:
    ids, lengths = padded([[5, 6, 7], [8]])
    assert ids.tolist() == [[5, 6, 7], [8, 0, 0]]
    assert lengths.tolist() == [3, 1]
