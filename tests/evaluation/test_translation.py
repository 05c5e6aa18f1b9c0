"""BLEU and chrF equal sacrebleu's; the nearest neighbour works in any script; attention sums to one."""

from pathlib import Path

import pytest
import sacrebleu
import torch
import yaml

from foundling.data.pairs import Pair
from foundling.evaluation import translation
from foundling.evaluation.cross_attention import cross_attention
from foundling.evaluation.translation import Scorer, bleu_tokenizer, nearest, summary
from foundling.metrics import from_plain, to_plain
from foundling.metrics.train_translator import TrainTranslator
from foundling.model.config import TranslatorConfig
from foundling.model.translator import Translator
from foundling.text.vocabularies import characters

REFERENCES = [
    "Der Fuchs sieht den Hasen im Wald.",
    "Die Ente ist klein und alt.",
    "Wer nahm die rote Lampe?",
] * 10
WRITTEN = [text.replace("den Hasen", "die Ente") if i % 2 else text for i, text in enumerate(REFERENCES)]


def test_scores_are_sacrebleus_with_an_interval_around_them() -> None:
    scorer = Scorer(REFERENCES)
    scores = scorer.scores(WRITTEN)
    assert scores.bleu.score == pytest.approx(sacrebleu.corpus_bleu(WRITTEN, [REFERENCES]).score)
    assert scores.chrf.score == pytest.approx(sacrebleu.corpus_chrf(WRITTEN, [REFERENCES]).score)
    for score in (scores.bleu, scores.chrf):
        assert score.low < score.score < score.high
    assert scores.exact.accuracy == pytest.approx(25 / 30)
    assert scorer.bleu(WRITTEN) == scores.bleu.score
    assert scorer.scores(WRITTEN) == scores
    nearly = scorer.scores([REFERENCES[0][:-1], *REFERENCES[1:]]).bleu  # an interval does not leave the scale
    assert nearly.low < nearly.score < nearly.high <= 100


def test_resamples_without_a_match_have_an_interval_too() -> None:
    bleu = Scorer(REFERENCES).scores(["nothing"] * 29 + REFERENCES[29:]).bleu
    assert bleu.low == 0 < bleu.high


def test_signatures_describe_how_scores_were_computed() -> None:
    scorer = Scorer(REFERENCES)
    scorer.scores(WRITTEN)
    signatures = scorer.signatures()
    assert signatures.bleu.startswith(
        "nrefs:1|bs:1000|seed:12345|case:mixed|eff:no|tok:13a|smooth:exp|version:"
    )
    assert "nc:6" in signatures.chrf


@pytest.mark.parametrize(
    ("references", "tokenizer"),
    [
        (["狗看见狗。", "狗喜欢猫。"], "zh"),
        (["犬が猫を見る。"], "char"),
        (["개는 고양이를 본다."], "char"),
        (["สุนัขเห็นแมว"], "char"),
        (["Собака видит кошку здесь."], "13a"),
        (["The dog sees the 狗."], "13a"),
    ],
)
def test_the_tokenizer_goes_by_the_script_and_equal_translations_score_100(
    references: list[str], tokenizer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(translation, "find_spec", lambda name: None)  # no dictionaries
    scorer = Scorer(references)
    scorer.scores(references)
    assert scorer.bleu(references) == pytest.approx(100)
    assert f"|tok:{tokenizer}|" in scorer.signatures().bleu
    expected = sacrebleu.corpus_bleu(["猫看见狗。"] * len(references), [references], tokenize=tokenizer).score
    assert scorer.bleu(["猫看见狗。"] * len(references)) == pytest.approx(expected)


def test_a_dictionary_that_is_installed_cuts_japanese_and_korean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translation, "find_spec", lambda name: object())
    assert bleu_tokenizer(["犬が猫を見る。"]) == "ja-mecab"
    assert bleu_tokenizer(["개는 고양이를 본다."]) == "ko-mecab"


def test_references_of_few_words_score_by_the_orders_that_they_have() -> None:
    short = ["a cat", "Yes", "no"]
    scorer = Scorer(short)
    scorer.scores(short)
    assert scorer.bleu(short) == pytest.approx(100)
    assert "|eff:yes|" in scorer.signatures().bleu
    assert 0 < scorer.bleu(["a cat", "Yes", "yes"]) < 100


def test_the_nearest_chinese_source_is_found_by_characters() -> None:
    train = [Pair("狗看见狗。", "a", "t"), Pair("猫喜欢鱼。", "b", "t")]
    assert nearest(train, ["猫喜欢马。", "狗看见马。"]) == ["b", "a"]


def test_the_translation_of_the_most_similar_source_is_returned() -> None:
    train = [
        Pair("the fox sees the hare", "a", "t"),
        Pair("the duck is old", "b", "t"),
        Pair("who took it ?", "c", "t"),
    ]
    assert nearest(train, ["the duck was old", "the fox saw the hare", "who took it ?", "zebra"]) == [
        "b",
        "a",
        "c",
        "a",
    ]


def test_cross_attention_has_a_row_for_each_target_token() -> None:
    letters = characters(["abcdefgh "])
    torch.manual_seed(0)
    values = yaml.safe_load((Path(__file__).parents[2] / "conf/transformer/tiny.yaml").read_text())
    model = Translator(TranslatorConfig(vocab_size=letters.vocab_size, **values | {"n_decoder": 2})).eval()
    maps = cross_attention(model, letters, "abc", "hg")
    assert (maps.source, maps.translation) == (["a", "b", "c", "■"], ["h", "g", "■"])
    weights = torch.tensor(maps.layers)
    assert weights.shape == (2, 3, 4)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3), atol=1e-3, rtol=0)


def test_the_summary_has_a_row_for_each_method() -> None:
    scores = Scorer(REFERENCES).scores(WRITTEN)
    loss = {"val/loss": 0.1, "val/perplexity": 1.1, "val/bleu": 91.0}
    values = {
        "dataset": "mine",
        "pairs": {"train": 9, "validation": 3, "test": 30, "tested": 30},
        "changes": {},
        "training": {**loss, "parameters": 5, "steps": 6, "epochs": 2.0, "tokens": 70},
        "test": {method: to_plain(scores) for method in ("beam", "greedy", "nearest")},
        "search": {"beam": 4, "length_penalty": 0.6, "extra": 50},
        "signatures": {"bleu": "a", "chrf": "b"},
    }
    table = summary(from_plain(values, TrainTranslator, "train_translator.json"))
    assert table.row_count == 3
    assert "BLEU 91.0" in str(table.caption)
