"""The classifier reads the last real token, whatever follows it; saved and loaded, it is equal."""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from foundling.model.classifier import Classifier
from foundling.model.config import ClassifierConfig
from foundling.text.vocabularies import characters
from foundling.validation import build
from foundling.weights import folder


@pytest.fixture
def classifier(gpt_config: Callable[..., Any]) -> Classifier:
    torch.manual_seed(0)
    made = Classifier(
        ClassifierConfig(gpt_config("micro", init="gpt2"), ("ham", "spam", "news"), "beginning")
    )
    torch.nn.init.normal_(made.head.weight)
    return made.eval()


def test_padding_is_never_read(classifier: Classifier) -> None:
    ids, lengths = torch.randint(50, (4, 20)), torch.tensor([3, 20, 11, 1])
    other = ids.clone()
    for row, length in zip(other, lengths, strict=True):
        row[length:] = torch.randint(50, (20 - int(length),))
    logits = classifier(ids, lengths)
    assert torch.equal(logits, classifier(other, lengths))
    for row, length, alone in zip(ids, lengths, logits, strict=True):
        torch.testing.assert_close(classifier(row[None, :length], length[None])[0], alone)


def test_every_real_token_counts(classifier: Classifier) -> None:
    ids, lengths = torch.randint(50, (1, 9)), torch.tensor([9])
    logits = classifier(ids, lengths)
    for place in range(9):
        other = ids.clone()
        other[0, place] = (other[0, place] + 1) % 50
        assert not torch.allclose(classifier(other, lengths), logits)


def test_the_mean_is_over_all_real_positions_but_the_first(classifier: Classifier) -> None:
    classifier.config = replace(classifier.config, pooling="mean")
    ids, lengths = torch.randint(50, (4, 20)), torch.tensor([3, 20, 11, 2])
    logits = classifier(ids, lengths)
    for row, length, alone in zip(ids, lengths, logits, strict=True):
        states = classifier.trunk.hidden(row[None, :length])[0]
        torch.testing.assert_close(classifier.head(states[1:].mean(0)), alone)


def test_it_begins_undecided(gpt_config: Callable[..., Any]) -> None:
    made = Classifier(ClassifierConfig(gpt_config("micro"), ("a", "b"), "end"))
    assert torch.equal(made(torch.randint(50, (2, 5)), torch.tensor([5, 2])), torch.zeros(2, 2))


def test_it_comes_back_from_its_folder_with_its_labels(classifier: Classifier, tmp_path: Path) -> None:
    tokenizer = characters(["abc"])
    folder.save(tmp_path / "m", classifier, tokenizer)
    back, _ = folder.load_as(tmp_path / "m", Classifier, ClassifierConfig)
    assert back.config == classifier.config
    assert back.config.labels == ("ham", "spam", "news")
    ids, lengths = torch.randint(50, (3, 12)), torch.tensor([12, 4, 7])
    assert torch.equal(back(ids, lengths), classifier(ids, lengths))


def test_a_base_is_no_classifier(classifier: Classifier, tmp_path: Path) -> None:
    folder.save(tmp_path / "base", classifier.trunk)
    with pytest.raises(ValueError, match=r"config\.json: trunk is missing"):
        folder.load_as(tmp_path / "base", Classifier, ClassifierConfig)


@pytest.mark.parametrize(
    ("labels", "keep", "says"),
    [
        (("ham",), "end", "at least two"),
        (("a", "a"), "end", "each given once"),
        (("a", "b"), "middle", "beginning or end"),
    ],
)
def test_what_cannot_be_told_apart_is_refused(
    gpt_config: Callable[..., Any], labels: tuple[str, ...], keep: str, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        build(ClassifierConfig, {"trunk": asdict(gpt_config("micro")), "labels": labels, "keep": keep}, "")
