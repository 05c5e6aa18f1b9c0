from pathlib import Path

import pytest

from foundling.text.byte_alphabet import printable
from foundling.text.merges import merges
from foundling.text.vocabularies import gpt2, train_bpe


def test_the_merges_of_gpt2s_ranks_are_the_ones_that_openai_published(mirror: Path) -> None:
    published = (mirror / "gpt2_bpe/vocab.bpe").read_text(encoding="utf-8").splitlines()[1:]
    found = [f"{printable(left)} {printable(right)}" for left, right in merges(gpt2(mirror).ranks)]
    assert found == published


def test_each_merge_gives_the_token_of_its_rank() -> None:
    ranks = train_bpe(["the cat sat on the mat, the cat"], 280).ranks
    found = merges(ranks)
    assert [left + right for left, right in found] == sorted(
        (t for t in ranks if len(t) > 1), key=ranks.__getitem__
    )
    assert all(left in ranks and right in ranks for left, right in found)


def test_tokens_that_are_no_merges_are_refused() -> None:
    with pytest.raises(ValueError, match="not a merge of two earlier tokens"):
        merges({b"a": 0, b"b": 1, b"c": 2, b"abc": 3})
