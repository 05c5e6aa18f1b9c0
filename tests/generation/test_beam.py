"""Beam search: cache and batches change nothing, a beam of one is greedy, a wide one exhaustive."""

import itertools
import math
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from foundling.generation.beam import Hypothesis, beam_search, translate
from foundling.model.config import TranslatorConfig
from foundling.model.translator import Translator
from foundling.settings.generation import BeamSearch
from foundling.text.tokenizer import Tokenizer
from foundling.text.vocabularies import characters

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


def settings(beam: int, length_penalty: float, extra: int, batch_tokens: int = 1000) -> BeamSearch:
    return BeamSearch(beam=beam, length_penalty=length_penalty, extra=extra, batch_tokens=batch_tokens)


def assert_equal(ones: list[Hypothesis], others: list[Hypothesis]) -> None:
    for one, other in zip(ones, others, strict=True):
        assert (one.ids, one.stopped) == (other.ids, other.stopped)
        assert one.score == pytest.approx(other.score, abs=1e-4)


@pytest.mark.parametrize("beam", [1, 2, 5])
def test_with_the_cache_equals_without(model: Translator, rows: list[list[int]], beam: int) -> None:
    search = settings(beam, 0.6, extra=9)
    assert_equal(beam_search(model, rows, END, search), beam_search(model, rows, END, search, cached=False))


@pytest.mark.parametrize("extra", [6, 12])
def test_a_beam_of_one_is_greedy_decoding(model: Translator, rows: list[list[int]], extra: int) -> None:
    hypotheses = beam_search(model, rows, END, settings(1, 0.6, extra))
    for row, hypothesis in zip(rows, hypotheses, strict=True):
        ids: list[int] = []
        while len(ids) < len(row) + extra and END not in ids:
            with torch.no_grad():
                logits = model(torch.tensor([row]), torch.tensor([len(row)]), torch.tensor([[END, *ids]]))
            ids.append(int(logits[0, -1].argmax()))
        assert hypothesis.ids + [END] * hypothesis.stopped == ids
    assert {hypothesis.stopped for hypothesis in hypotheses} == {True, False}


@pytest.mark.parametrize("beam", [1, 4])
def test_what_else_is_in_the_batch_changes_nothing(
    model: Translator, rows: list[list[int]], beam: int
) -> None:
    search = settings(beam, 0.6, extra=8)
    assert_equal(
        beam_search(model, rows, END, search), [beam_search(model, [row], END, search)[0] for row in rows]
    )


def test_scores_equal_the_models_and_translations_keep_to_the_length_limit(
    model: Translator, rows: list[list[int]]
) -> None:
    search = settings(3, 1.0, extra=4)
    for row, one in zip(rows, beam_search(model, rows, END, search), strict=True):
        assert one.score == pytest.approx(log_p(model, row, one.ids, one.stopped, search), abs=1e-4)
        assert END not in one.ids
        assert len(one.ids) + one.stopped <= len(row) + 4


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_a_beam_as_wide_as_all_finds_the_likeliest_translation(penalty: float) -> None:
    small = translator(vocab_size=4)
    row, search = [2, END], settings(200, penalty, extra=2)
    every = [
        ids for n in range(4) for ids in itertools.product((1, 2, 3), repeat=n)
    ]  # of at most 4 tokens with the end
    best = max(every, key=lambda ids: log_p(small, row, list(ids), True, search))
    assert beam_search(small, [row], END, search)[0].ids == list(best)


def test_a_length_penalty_makes_translations_longer(model: Translator, rows: list[list[int]]) -> None:
    lengths = [
        sum(len(one.ids) for one in beam_search(model, rows, END, settings(4, penalty, 12)))
        for penalty in (0.0, 1.0, 3.0)
    ]
    assert lengths == sorted(lengths)
    assert lengths[0] < lengths[-1]


def log_p(model: Translator, row: list[int], ids: list[int], stopped: bool, search: BeamSearch) -> float:
    """log p of a translation by one plain pass, normalized by the paper's formula."""
    said = ids + [END] * stopped
    with torch.no_grad():
        logits = model(torch.tensor([row]), torch.tensor([len(row)]), torch.tensor([[END, *said]]))[0]
    score = sum(float(logits[t].log_softmax(-1)[token]) for t, token in enumerate(said))
    return score / math.pow((5 + len(said)) / 6, search.length_penalty)


def test_texts_are_translated_in_their_order_blank_ones_stay_and_truncated_ones_are_counted() -> None:
    tokenizer: Tokenizer = characters(["abcdefgh "])
    model = translator(vocab_size=tokenizer.vocab_size, context=12)
    texts = ["abc", "", "abcdefgh abcdefgh", "  ", "h g f", "a"]
    translations, truncated = translate(model, tokenizer, texts, settings(2, 0.6, 5, batch_tokens=30))
    alone = [translate(model, tokenizer, [text], settings(2, 0.6, 5, batch_tokens=1))[0][0] for text in texts]
    assert translations == alone
    assert (translations[1], translations[3], truncated) == ("", "", 1)
    assert translate(model, tokenizer, [], settings(1, 0.0, 5)) == ([], 0)
