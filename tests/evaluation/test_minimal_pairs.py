"""The model chooses the likelier sentence of a pair."""

import itertools
from typing import Any

import pytest
import torch
from torch import nn

from foundling.evaluation.minimal_pairs import MinimalPairs, Pair, read_pair


def test_the_likelier_sentence_wins_by_kind(model: nn.Module, words: Any) -> None:
    sentences = [f"w{i} w{i + 1} w{i + 2}" for i in range(0, 60, 3)]

    def plainly(sentence: str) -> float:
        ids = torch.tensor([[words.end_of_text, *words.encode(sentence)]])
        return torch.log_softmax(model(ids[:, :-1])[0], -1).gather(1, ids[0, 1:, None]).sum().item()

    pairs = [Pair(a, b, "one") for a, b in itertools.pairwise(sentences)]
    found = MinimalPairs(pairs).score(model, words, batch_tokens=64, seed=0).scores
    right = sum(plainly(p.good) > plainly(p.bad) for p in pairs)
    assert found.kinds["one"].accuracy == right / len(pairs)
    assert found.kinds["one"].chance == 0.5


def test_equal_sentences_are_a_toss(uniform: nn.Module, words: Any) -> None:
    found = (
        MinimalPairs([Pair("a b c", "a b d")] * 1000).score(uniform, words, batch_tokens=512, seed=0).scores
    )
    assert found.kinds["all"].accuracy == pytest.approx(0.5, abs=0.05)


def test_a_record_without_a_sentence_is_refused() -> None:
    assert read_pair({"sentence_good": "a", "sentence_bad": "b", "UID": "u"}) == Pair("a", "b", "u")
    with pytest.raises(ValueError, match="sentence_bad is missing"):
        read_pair({"sentence_good": "a"})
    with pytest.raises(ValueError, match=r"sentence_bad=\['b'\]: must be a sentence"):
        read_pair({"sentence_good": "a", "sentence_bad": ["b"]})
