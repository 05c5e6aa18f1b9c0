"""Long runs are cut, nothing else is; the ids of a text without them are tiktoken's own."""

import time

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from foundling.text.runs import LONGEST_RUN, without_long_runs
from foundling.text.tokenizer import Tokenizer
from foundling.text.vocabularies import train_bpe

KINDS = ["a", "é", "狗", " ", "\n", "\u3000", "7", "!", "'s", "\u0301", "\ud83d", "\x1c", "🦁"]
runs = st.tuples(st.sampled_from(KINDS), st.integers(1, 12)).map(lambda pair: pair[0] * pair[1])
texts = st.lists(st.one_of(runs, st.text(max_size=6)), max_size=12).map("".join)


@pytest.fixture(scope="module")
def bpe() -> Tokenizer:
    return train_bpe(["the lion isn't in the forest    and 'aaaa' is no word\n\n" * 9, "狗看见狗。" * 9], 330)


@settings(max_examples=500, deadline=None)
@given(texts, st.integers(2, 20))
def test_parts_join_to_the_text_and_none_has_a_longer_run(text: str, longest: int) -> None:
    parts = list(without_long_runs(text, longest))
    assert "".join(parts) == text
    assert all(len(run) <= longest for part in parts for run in regex.findall(r"\s+|\S+", part))
    if not regex.search(rf"\s{{{longest + 1}}}|\S{{{longest + 1}}}", text):
        assert parts == [text]


@settings(max_examples=300, deadline=None)
@given(texts)
def test_ids_are_tiktokens_own_where_no_run_is_long(bpe: Tokenizer, text: str) -> None:
    for whole in (text, text + " the lion" * (LONGEST_RUN // 4) + text):
        assert bpe.encode(whole) == bpe.encoding.encode_ordinary(whole)


@pytest.mark.parametrize(
    "text",
    [
        "a lion" + " " * 1_500_000 + "x",
        "\n" * 1_500_000,
        "a" * 200_000,
        "ab" * 100_000,
        "狗看见狗。" * 40_000,
    ],
    ids=["spaces", "line ends", "a letter", "letters", "Chinese"],
)
def test_long_runs_take_linear_time_and_come_back_whole(bpe: Tokenizer, text: str) -> None:
    began = time.perf_counter()
    ids = bpe.encode(text)
    assert time.perf_counter() - began < 10
    assert bpe.decode(ids) == text
    assert bpe.encode_batch([text], threads=1) == [ids]


def test_a_run_of_words_without_spaces_is_cut_behind_a_word(bpe: Tokenizer) -> None:
    text = "狗看见狗。" * LONGEST_RUN
    parts = list(without_long_runs(text))
    assert len(parts) > 1
    assert all(part.startswith("。") for part in parts[1:])
    assert bpe.encode(text) == bpe.encoding.encode_ordinary(text)


def test_a_vocabulary_is_trained_on_long_runs(bpe: Tokenizer) -> None:
    made = train_bpe([" " * 1_500_000 + "lion " + "a" * 50_000], 280)
    assert made.decode(made.encode(" lion")) == " lion"
