"""BLEU and chrF are sacrebleu's; memory answers with what it has seen; where the decoder looks sums to one."""

from pathlib import Path

import pytest
import sacrebleu
import torch
import yaml

from foundling.data.pairs import Pair
from foundling.evaluation.translation import bleu, looks, nearest, score, signatures, summary
from foundling.model.translator import Translator, TranslatorConfig
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
    found = signatures()
    assert found["bleu"].startswith("nrefs:1|bs:1000|seed:12345|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    assert "nc:6" in found["chrf"]


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
