"""Scores equal scikit-learn's and a count by hand; batches and order change no probability."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from foundling.data.batches import padded
from foundling.evaluation.baselines import predict_baselines
from foundling.evaluation.classification import (
    Predictions,
    difference,
    most_probable,
    probabilities,
    roc_points,
    score,
)
from foundling.evaluation.comparison import compare, format_lead, summary, write_tables
from foundling.evaluation.zero_shot import zero_shot
from foundling.model.classifier import Classifier
from foundling.model.config import ClassifierConfig
from foundling.model.interface import CustomModel
from foundling.text.vocabularies import characters

LABELS = ["ham", "spam", "news"]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=60))
def test_measures_equal_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    golds, guesses = (np.array(side) for side in zip(*pairs, strict=True))
    found = score(golds, Predictions(guesses, None), LABELS)
    assert found.accuracy == pytest.approx(reference.accuracy_score(golds, guesses))
    assert found.low <= found.accuracy + 1e-12
    assert found.accuracy - 1e-12 <= found.high
    every = {"labels": range(3), "average": None, "zero_division": 0}
    for name, theirs in (("precision", reference.precision_score), ("recall", reference.recall_score)):
        assert [getattr(one, name) for one in found.labels.values()] == pytest.approx(
            theirs(golds, guesses, **every)
        )
    f1 = reference.f1_score(golds, guesses, **every)
    assert found.macro_f1 == pytest.approx(f1.mean())
    assert found.roc_auc is None


def test_of_two_labels_the_second_is_looked_for() -> None:
    golds, scores = np.array([0, 0, 1, 1]), np.array([0.1, 0.6, 0.4, 0.9])
    given = Predictions((scores > 0.5).astype(int), scores)
    assert score(golds, given, ["ham", "spam"]).roc_auc == pytest.approx(0.75)
    assert roc_points(golds, Predictions(np.zeros(4, dtype=int), None)) == []
    curve = roc_points(golds, given)
    assert (curve[0], curve[-1]) == ((0.0, 0.0), (1.0, 1.0))


def test_a_paired_difference_is_that_of_the_same_texts() -> None:
    golds = np.zeros(100, dtype=int)
    ours, theirs = np.zeros(100, dtype=int), np.zeros(100, dtype=int)
    ours[:2], theirs[:12] = 1, 1
    gap = difference(golds, Predictions(ours, None), Predictions(theirs, None))
    assert gap.difference == pytest.approx(0.1)
    assert gap.high - gap.difference == pytest.approx(1.96 * np.std([1] * 10 + [0] * 90, ddof=1) / 10)
    assert "not significant" not in format_lead(gap)
    half = Predictions(theirs[:50], None, np.arange(50))
    assert difference(golds, Predictions(ours, None), half).difference == pytest.approx(0.2)
    assert format_lead(difference(golds, Predictions(ours, None), Predictions(ours, None))).endswith(
        "not significant"
    )


def test_batches_and_order_change_no_probability(gpt_config: Callable[..., Any]) -> None:
    torch.manual_seed(0)
    network = Classifier(ClassifierConfig(gpt_config("micro", init="gpt2"), tuple(LABELS), "end")).eval()
    torch.nn.init.normal_(network.head.weight)
    rows = [[int(i) for i in torch.randint(50, (int(n),))] for n in torch.randint(1, 30, (17,))]
    found = probabilities(network, rows, batch_tokens=64)
    np.testing.assert_allclose(found.sum(1), 1, rtol=1e-5)
    for row, shares in zip(rows, found, strict=True):
        alone = network(*padded([row])).softmax(-1).detach().numpy()[0]
        np.testing.assert_allclose(shares, alone, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(probabilities(network, rows, batch_tokens=1), found, rtol=1e-4, atol=1e-6)


TRAIN = [f"{word} {i}" for i in range(20) for word in ("win a free prize", "see you at home")] + [
    "dinner at home"
]
TRAIN_IDS = np.array([1, 0] * 20 + [0])


def test_baselines_learn_words_and_the_majority_does_not() -> None:
    names = ["majority", "word_tfidf_logistic", "char_tfidf_svm"]
    given, left_out = predict_baselines(TRAIN, TRAIN_IDS, ["a free prize", "at home, you"], 1, names)
    assert left_out == {}
    assert given["majority"].labels.tolist() == [0, 0]
    for name in names[1:]:
        assert given[name].labels.tolist() == [1, 0]
        scores = given[name].scores
        assert scores is not None
        assert scores[0] > scores[1]


@pytest.mark.parametrize(
    ("texts", "left_out"),
    [
        (["8 6 8", "3 1 5"], ["word_tfidf_logistic"]),
        (["狗 猫 鸟", "马 鱼 狗"], ["word_tfidf_logistic"]),
        (["!?", ":)"], ["word_tfidf_logistic", "char_tfidf_svm"]),
    ],
)
def test_a_baseline_that_finds_nothing_to_count_is_left_out_with_a_word(
    texts: list[str], left_out: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    names = ["majority", "word_tfidf_logistic", "char_tfidf_svm"]
    given, why = predict_baselines(texts * 9, np.array([0, 1] * 9), ["7", "two words"], 1, names)
    assert list(why) == left_out
    assert set(given) == set(names) - set(left_out)
    assert (
        "the baseline word_tfidf_logistic is left out: no training text has a word of two letters"
        in caplog.text
    )


class Echo(torch.nn.Module):
    """A language model that expects the last token again, and one label's first letter above all."""

    def __init__(self, vocabulary: int, favourite: int) -> None:
        super().__init__()
        self.config = type("Shape", (), {"context": 64, "vocab_size": vocabulary})
        self.favourite = favourite

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        counts = torch.nn.functional.one_hot(ids, self.config.vocab_size).cumsum(1).float()
        counts[..., self.favourite] += 5
        return counts


def test_the_base_answers_by_what_the_text_adds() -> None:
    tokenizer = characters(["abcdefghijklmnopqrstuvwxyz :_"])
    network = Echo(tokenizer.vocab_size, tokenizer.encode("q")[0])
    model = CustomModel(network, network.config, "echo")
    given = zero_shot(
        model, tokenizer, ["xxxx", "qqqq", "xx"], [0, 1], ["q", "x"], template="{text}:", batch_tokens=256
    )
    assert given.labels.tolist() == [1, 0]
    assert given.indices is not None
    assert given.select(np.array([7, 8, 9])).tolist() == [7, 8]


def test_the_comparison_fills_the_tables(tmp_path: Any, classify_metrics: Callable[..., Any]) -> None:
    found = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], dtype=np.float32)
    golds = np.array([0, 1, 1])
    given = {"classifier": most_probable(found), "majority": Predictions(np.zeros(3, dtype=int), np.zeros(3))}
    models = compare(golds, ["ham", "spam"], given)
    lead = models["majority"].ahead
    assert lead is not None
    assert lead.difference == pytest.approx(1 / 3)
    assert models["classifier"].ahead is None
    table = summary(classify_metrics(models))
    assert table.row_count == 2
    assert "held-out loss 2.5000 → 3.2500, arc_easy 50.0% → 50.0%" in str(table.caption)
    lacking = summary(classify_metrics(models, left_out={"words": "no word"}))
    assert lacking.row_count == 3
    assert "words is left out: no word" in str(lacking.caption)
    write_tables(tmp_path, ["a", 'b, "c"', "d"], golds, ["ham", "spam"], found, given)
    assert (tmp_path / "classify_answers.csv").read_text().splitlines() == [
        "actual,predicted,probability,text",
        "ham,ham,0.9000,a",
        'spam,spam,0.8000,"b, ""c"""',
        "spam,ham,0.6000,d",
    ]
    assert (
        (tmp_path / "classify_roc.csv")
        .read_text()
        .startswith("model,false_positive_rate,true_positive_rate\n")
    )
