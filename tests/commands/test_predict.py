"""foundling predict classifies one text, a file and standard input, and names the line of an empty text."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from foundling.commands import predict as command
from foundling.model.classifier import Classifier
from foundling.model.config import ClassifierConfig
from foundling.text.vocabularies import characters
from foundling.weights import folder

Predict = Callable[..., None]


@pytest.fixture(scope="module")
def model(gpt_config: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("models") / "classifier"
    tokenizer = characters(["abcdefghijklmnopqrstuvwxyz "])
    torch.manual_seed(0)
    config = ClassifierConfig(
        gpt_config("micro", vocab_size=tokenizer.vocab_size, context=16), ("ham", "spam"), "end"
    )
    network = Classifier(config)
    torch.nn.init.normal_(network.head.weight)
    folder.save(place, network, tokenizer)
    return place


@pytest.fixture
def predict(model: Path, job: Callable[..., Any]) -> Predict:
    def run(**settings: str) -> None:
        overrides = [f"predict.{name}={json.dumps(value)}" for name, value in settings.items()]
        command.run(job("trainer=cpu", f"predict.model={model}", *overrides))

    return run


def test_one_text_gets_its_labels_with_probabilities(
    predict: Predict, capsys: pytest.CaptureFixture[str]
) -> None:
    predict(text="free entry")
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert {label for _, label in lines} == {"ham", "spam"}
    assert float(lines[0][0]) >= float(lines[1][0])
    assert sum(float(share) for share, _ in lines) == pytest.approx(1, abs=1e-3)


def test_a_text_is_placed_in_the_template_of_its_classifier(
    model: Path, tmp_path: Path, job: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    network, tokenizer = folder.load_as(model, Classifier, ClassifierConfig)
    network.config = replace(network.config, pooling="mean")  # of which every token has its part
    folder.save(tmp_path / "plain", network, tokenizer)
    network.config = replace(network.config, template="now {text} here")
    folder.save(tmp_path / "with_template", network, tokenizer)
    printed = []
    for place, text in (("with_template", "hi"), ("plain", "now hi here"), ("plain", "hi")):
        command.run(job("trainer=cpu", f"predict.model={tmp_path / place}", f"predict.text='{text}'"))
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1] != printed[2]


@pytest.mark.parametrize(
    ("name", "content", "column"),
    [
        ("texts.txt", "free entry\nsee you\n", "text"),
        ("texts.csv", "number,body\n1,free entry\n2,see you\n", "body"),
        ("texts.jsonl", '{"text": "free entry"}\n{"text": "see you"}\n', "text"),
        ("-", "free entry\nsee you\n", "text"),
    ],
)
def test_many_texts_get_a_line_each_in_their_order(
    predict: Predict,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    content: str,
    column: str,
) -> None:
    (tmp_path / name).write_text(content)
    monkeypatch.setattr("sys.stdin", io.StringIO(content))
    predict(file=name if name == "-" else str(tmp_path / name), column=column)
    shown = capsys.readouterr()
    rows = [json.loads(line) for line in shown.out.splitlines()]
    assert [row["text"] for row in rows] == ["free entry", "see you"]
    for row in rows:
        assert row["label"] == max(row["probabilities"], key=row["probabilities"].get)
    assert "2 texts in " in shown.err
    assert "texts/s" in shown.err


def test_a_long_text_is_truncated_with_a_warning(
    predict: Predict, capsys: pytest.CaptureFixture[str]
) -> None:
    predict(text="abcdefghijklmnopqrstuvwxyz")
    assert "1 of the texts exceed the model's context and lost their beginning" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("texts.txt", "free entry\n\nsee you\n", r"texts\.txt:2 is empty"),
        (
            "texts.csv",
            "body\nfree entry\n",
            r"texts\.csv:2 has no column 'text' \(columns: body\); set column",
        ),
        ("missing.txt", None, r"missing\.txt does not exist"),
        ("texts.txt", "", "no text in"),
    ],
)
def test_what_cannot_be_read_is_named(
    predict: Predict, tmp_path: Path, name: str, content: str | None, says: str
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=says):
        predict(file=str(tmp_path / name))


def test_a_terminal_is_not_waited_for(predict: Predict, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr("sys.stdin", terminal)
    with pytest.raises(ValueError, match='no text: set text="…"'):
        predict()
