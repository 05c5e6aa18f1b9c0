"""foundling translate prints a line for each text, from a setting, a file or standard input."""

import io
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from foundling.commands.translate import run
from foundling.model.config import TranslatorConfig
from foundling.model.translator import Translator
from foundling.text.vocabularies import characters
from foundling.weights import folder


@pytest.fixture(scope="module")
def model(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained one that writes a few letters."""
    place = tmp_path_factory.mktemp("models") / "translator"
    tokenizer = characters(["abcdefgh "])
    torch.manual_seed(7)
    values = yaml.safe_load((root / "conf/transformer/tiny.yaml").read_text())
    values |= {"init": "xavier", "shared": "none", "context": 12}
    network = Translator(TranslatorConfig(vocab_size=tokenizer.vocab_size, **values))
    assert network.output is not None
    with torch.no_grad():
        for token in (tokenizer.end_of_text, *tokenizer.encode(" ")):
            network.output.weight[token] = 0.0  # neither is likely
    folder.save(place, network, tokenizer)
    return place


@pytest.fixture
def translate(job: Any, model: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """The command with settings: what it prints to standard output and to standard error."""

    def run_with(**settings: Any) -> tuple[str, str]:
        settings = {"model": str(model), "extra": 4, **settings}
        run(
            job(
                "trainer=cpu",
                *(
                    f"translate.{name}='{value}'" if isinstance(value, str) else f"translate.{name}={value}"
                    for name, value in settings.items()
                ),
            )
        )
        return tuple(capsys.readouterr())  # type: ignore[return-value]

    return run_with


def test_files_and_standard_input_give_what_single_texts_give(
    translate: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["abc", "hag", "dead beef"]
    alone = [translate(text=text)[0] for text in texts]
    assert all(one.strip() and one.count("\n") == 1 for one in alone)
    (tmp_path / "texts.txt").write_text("\n".join(["abc", "", "hag", "dead beef"]) + "\n")
    out, said = translate(file=str(tmp_path / "texts.txt"))
    assert out == "".join([alone[0], "\n", *alone[1:]])  # a blank line stays one
    assert "4 texts in" in said
    monkeypatch.setattr("sys.stdin", io.StringIO("abc\nhag\ndead beef\n"))
    assert translate()[0] == "".join(alone)
    (tmp_path / "texts.csv").write_text("id,body\n" + "".join(f"1,{text}\n" for text in texts))
    assert translate(file=str(tmp_path / "texts.csv"), column="body")[0] == "".join(alone)


def test_a_truncated_text_is_reported(translate: Any) -> None:
    out, said = translate(text="abcdefgh abcdefgh")
    assert out == translate(text="abcdefgh ab")[0]
    assert "1 of the texts exceed the model's context and were truncated" in said


def test_what_cannot_be_read_is_named(
    translate: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "texts.csv").write_text("id,body\n1,abc\n")
    with pytest.raises(ValueError, match=r"texts\.csv:2 has no column 'text' \(columns: id, body\)"):
        translate(file=str(tmp_path / "texts.csv"))
    with pytest.raises(ValueError, match=r"nowhere\.txt does not exist"):
        translate(file="nowhere.txt")
    (tmp_path / "empty.txt").write_text("")
    with pytest.raises(ValueError, match=r"no text in .*empty\.txt"):
        translate(file=str(tmp_path / "empty.txt"))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    with pytest.raises(ValueError, match='no text: set text="…"'):
        translate()
