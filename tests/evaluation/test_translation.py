"""BLEU and chrF are sacrebleu's; memory answers with what it has seen; where the decoder looks sums to one."""

from pathlib import Path

import pytest
import sacrebleu
import torch
import yaml

from foundling.data.pairs import Pair
from foundling.evaluation import translation
from foundling.evaluation.translation import bleu, bleu_tokenizer, looks, nearest, score, signatures, summary
from foundling.model.config import TranslatorConfig
from foundling.model.translator import Translator
from foundling.text.tokenizer import characters

REFERENCES = ["Der Fuchs sieht den Hasen im Wald.", "Die Ente ist klein und alt.", "Wer nahm die rote Lampe?"] * 10
WRITTEN = [text.replace("den Hasen", "die Ente") if i % 2 else text for i, text in enumerate(REFERENCES)]


def test_scores_are_sacrebleus_with_an_interval_around_them() -> None:
    found = score(WRITTEN, REFERENCES)
    assert found["bleu"]["score"] == pytest.approx(sacrebleu.corpus_bleu(WRITTEN, [REFERENCES]).score)
    assert found["chrf"]["score"] == pytest.approx(sacrebleu.corpus_chrf(WRITTEN, [REFERENCES]).score)
    for name in ("bleu", "chrf"):
        assert found[name]["low"] < found[name]["score"] < found[name]["high"]
    assert found["exact"]["accuracy"] == pytest.approx(25 / 30)
    assert bleu(WRITTEN, REFERENCES) == found["bleu"]["score"]
    assert score(WRITTEN, REFERENCES) == found
    nearly = score([REFERENCES[0][:-1], *REFERENCES[1:]], REFERENCES)  # an interval does not leave the scale
    assert nearly["bleu"]["low"] < nearly["bleu"]["score"] < nearly["bleu"]["high"] <= 100


def test_signatures_say_how_it_was_counted() -> None:
    found = signatures(REFERENCES)
    assert found["bleu"].startswith("nrefs:1|bs:1000|seed:12345|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    assert "nc:6" in found["chrf"]


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
    assert bleu(references, references) == pytest.approx(100)
    assert f"|tok:{tokenizer}|" in signatures(references)["bleu"]
    expected = sacrebleu.corpus_bleu(["猫看见狗。"] * len(references), [references], tokenize=tokenizer).score
    assert bleu(["猫看见狗。"] * len(references), references) == pytest.approx(expected)


def test_a_dictionary_that_is_installed_cuts_japanese_and_korean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translation, "find_spec", lambda name: object())
    assert bleu_tokenizer(["犬が猫を見る。"]) == "ja-mecab"
    assert bleu_tokenizer(["개는 고양이를 본다."]) == "ko-mecab"


def test_references_of_few_words_score_by_the_orders_that_they_have() -> None:
    short = ["a cat", "Yes", "no"]
    assert bleu(short, short) == pytest.approx(100)
    assert "|eff:yes|" in signatures(short)["bleu"]
    assert 0 < bleu(["a cat", "Yes", "yes"], short) < 100


def test_memory_compares_chinese_sources_by_their_characters() -> None:
    train = [Pair("狗看见狗。", "a", "t"), Pair("猫喜欢鱼。", "b", "t")]
    assert nearest(train, ["猫喜欢马。", "狗看见马。"]) == ["b", "a"]


def test_memory_gives_the_translation_of_the_most_alike_sentence() -> None:
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


def test_where_it_looks_has_a_row_for_each_token_it_writes() -> None:
    letters = characters(["abcdefgh "])
    torch.manual_seed(0)
    values = yaml.safe_load((Path(__file__).parents[2] / "conf/transformer/tiny.yaml").read_text())
    model = Translator(TranslatorConfig(vocab_size=letters.vocab_size, **values | {"n_decoder": 2})).eval()
    found = looks(model, letters, "abc", "hg")
    assert (found["source"], found["translation"]) == (["a", "b", "c", "■"], ["h", "g", "■"])
    weights = torch.tensor(found["layers"])
    assert weights.shape == (2, 3, 4)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3), atol=1e-3, rtol=0)


def test_the_summary_has_a_row_for_each_way_to_translate() -> None:
    tested = {name: score(WRITTEN, REFERENCES) for name in ("beam", "greedy", "nearest")}
    metrics = {
        "dataset": "mine",
        "pairs": {"test": 30, "tested": 30},
        "training": {"val/loss": 0.1, "val/bleu": 91.0},
        "test": tested,
    }
    table = summary(metrics)
    assert table.row_count == 3
    assert "BLEU 91.0" in str(table.caption)
