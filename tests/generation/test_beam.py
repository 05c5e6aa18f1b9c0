"""Beam search: cached equals plain, a beam of one is greedy, a wide one finds the likeliest, batches change nothing."""

import itertools
import math
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from foundling.generation.beam import Search, beam_search, greedy, search_all, translate
from foundling.model.config import TranslatorConfig
from foundling.model.translator import Translator
from foundling.text.tokenizer import Tokenizer, characters

CONF = Path(__file__).parents[2] / "conf/transformer/tiny.yaml"
END = 0


def translator(vocab_size: int = 20, **changes: Any) -> Translator:
    """An untrained one whose greedy translations differ, some of which end by themselves."""
    torch.manual_seed(7)
    values = yaml.safe_load(CONF.read_text()) | {"init": "xavier", "n_decoder": 2, "shared": "none"} | changes
    return Translator(TranslatorConfig(vocab_size=vocab_size, **values)).eval()


@pytest.fixture(scope="module")
def model() -> Translator:
    return translator()


@pytest.fixture(scope="module")
def rows() -> list[list[int]]:
    random = torch.Generator().manual_seed(5)
    return [[*torch.randint(1, 20, (n,), generator=random).tolist(), END] for n in (3, 8, 1, 5, 5, 2, 7)]


def same(ones: list[Any], others: list[Any]) -> None:
    for one, other in zip(ones, others, strict=True):
        assert (one.ids, one.stopped) == (other.ids, other.stopped)
        assert one.score == pytest.approx(other.score, abs=1e-4)


@pytest.mark.parametrize("beam", [1, 2, 5])
def test_with_the_cache_equals_without(model: Translator, rows: list[list[int]], beam: int) -> None:
    search = Search(beam, 0.6, extra=9)
    same(search_all(model, rows, END, search), search_all(model, rows, END, search, cached=False))


@pytest.mark.parametrize("extra", [6, 12])
def test_a_beam_of_one_is_greedy(model: Translator, rows: list[list[int]], extra: int) -> None:
    lengths = torch.tensor([len(row) for row in rows])
    source = torch.tensor([row + [END] * (9 - len(row)) for row in rows])
    search = Search(1, 0.6, extra)
    found = greedy(model, source, lengths, END, search)
    same(found, beam_search(model, source, lengths, END, search))
    assert {one.stopped for one in found} == {True, False}


@pytest.mark.parametrize("beam", [1, 4])
def test_what_else_is_in_the_batch_changes_nothing(model: Translator, rows: list[list[int]], beam: int) -> None:
    search = Search(beam, 0.6, extra=8)
    same(search_all(model, rows, END, search), [search_all(model, [row], END, search)[0] for row in rows])


def test_scores_are_what_the_model_says_and_no_translation_is_longer_than_allowed(
    model: Translator, rows: list[list[int]]
) -> None:
    search = Search(3, 1.0, extra=4)
    for row, one in zip(rows, search_all(model, rows, END, search), strict=True):
        assert one.score == pytest.approx(log_p(model, row, one.ids, one.stopped, search), abs=1e-4)
        assert END not in one.ids
        assert len(one.ids) + one.stopped <= len(row) + 4


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_a_beam_as_wide_as_all_finds_the_likeliest_translation(penalty: float) -> None:
    small = translator(vocab_size=4)
    row, search = [2, END], Search(200, penalty, extra=2)
    every = [
        ids for n in range(4) for ids in itertools.product((1, 2, 3), repeat=n)
    ]  # of at most 4 tokens with the end
    best = max(every, key=lambda ids: log_p(small, row, list(ids), True, search))
    assert search_all(small, [row], END, search)[0].ids == list(best)


def test_a_length_penalty_makes_translations_longer(model: Translator, rows: list[list[int]]) -> None:
    lengths = [
        sum(len(one.ids) for one in search_all(model, rows, END, Search(4, penalty, 12))) for penalty in (0.0, 1.0, 3.0)
    ]
    assert lengths == sorted(lengths)
    assert lengths[0] < lengths[-1]


def log_p(model: Translator, row: list[int], ids: list[int], stopped: bool, search: Search) -> float:
    """log p of a translation by one plain pass, normalised by the paper's formula."""
    said = ids + [END] * stopped
    with torch.no_grad():
        logits = model(torch.tensor([row]), torch.tensor([len(row)]), torch.tensor([[END, *said]]))[0]
    score = sum(float(logits[t].log_softmax(-1)[token]) for t, token in enumerate(said))
    return score / math.pow((5 + len(said)) / 6, search.length_penalty)


def test_texts_are_translated_in_their_order_blank_ones_stay_and_long_ones_are_counted() -> None:
    tokenizer: Tokenizer = characters(["abcdefgh "])
    model = translator(vocab_size=tokenizer.vocab_size, context=12)
    texts = ["abc", "", "abcdefgh abcdefgh", "  ", "h g f", "a"]
    found, cut = translate(model, tokenizer, texts, Search(2, 0.6, 5), batch_tokens=30)
    alone = [translate(model, tokenizer, [text], Search(2, 0.6, 5), 1)[0][0] for text in texts]
    assert found == alone
    assert (found[1], found[3], cut) == ("", "", 1)
    assert translate(model, tokenizer, [], Search(1, 0.0, 5), 1) == ([], 0)


def test_searches_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="beam=0: must be at least 1"):
        Search(0, 0.6, 50)
    with pytest.raises(ValueError, match=r"length_penalty=-1\.0: must be at least 0"):
        Search(4, -1.0, 50)
