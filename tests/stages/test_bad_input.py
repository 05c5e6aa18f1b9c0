"""A user's mistake ends in a one-line error with the fix, exit code 1, and no partial output."""

import json
import re
import shutil
from pathlib import Path

import pytest

from foundling.__main__ import main

FILES = ["corpus=files", "corpus.path=mine"]


@pytest.fixture
def workspace(project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project that has run, to be spoiled."""
    for name in ("conf", "data", "metrics"):
        shutil.copytree(project.path / name, tmp_path / name)
    for name in ("base", "snapshots"):
        shutil.copytree(project.path / "models" / name, tmp_path / "models" / name)
    shutil.copy(project.path / "params.yaml", tmp_path)
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FOUNDLING_MIRROR", raising=False)
    return tmp_path


def told(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    """Run the command, which must fail, and give its one line."""
    monkeypatch.setattr("sys.argv", ["foundling", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 1
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("foundling: ")]
    assert len(lines) == 1
    assert not list(Path().rglob("*.part"))
    return lines[0]


def write(path: str, text: bytes) -> None:
    Path(path).write_bytes(text)


MISTAKES = {
    "an empty corpus": (
        lambda: write("mine/a.txt", b" \n"),
        ["fetch", "train_tokenizer"],
        [*FILES, "corpus.clean.min_characters=5"],
        "has no new document of at least 5 characters",
    ),
    "bytes that are no UTF-8": (
        lambda: write("mine/a.txt", b"The li\xf6n"),
        ["fetch", "train_tokenizer"],
        [*FILES, "corpus.encoding=utf-8"],
        r"data/raw/corpus/files/a.txt has byte 0xf6 at byte 6, which is not utf-8; set corpus.encoding to",
    ),
    "a row without text": (
        lambda: write("mine/a.jsonl", b'{"text": "a"}\n{"body": "b"}\n'),
        ["fetch", "train_tokenizer"],
        FILES,
        r"a.jsonl:2 has no text field 'text' \(it has only body\)",
    ),
    "a folder without files": (lambda: None, ["fetch"], FILES, "no files at mine"),
    "no path": (lambda: None, ["fetch"], ["corpus=files"], "for your own texts set corpus.path"),
    "a corpus shorter than a window": (
        lambda: write("mine/a.txt", b"The lion is in the forest. "),
        ["fetch", "train_tokenizer", "tokenize", "pretrain"],
        [*FILES, "tokenizer=char"],
        "training tokens; a window needs",
    ),
    "a width that no heads share": (
        lambda: None,
        ["pretrain"],
        ["model.n_embd=33"],
        "needs n_embd=33 to be divisible by n_head=2; try n_embd=32",
    ),
    "a stage without its input": (
        lambda: shutil.rmtree("data/tokens"),
        ["pretrain"],
        [],
        r"data/tokens/meta.json is missing; make it with `dvc repro tokenize`",
    ),
    "another tokenizer than the tokens'": (
        lambda: None,
        ["pretrain"],
        ["tokenizer.vocab_size=700"],
        "data/tokens was made with tokenizer.vocab_size=600, but this run has .*700; run `dvc exp run "
        r"-S \+\+set.tokenizer.vocab_size=700 tokenize` first",
    ),
    "a loss in chunks with FSDP": (
        lambda: None,
        ["pretrain"],
        ["trainer=fsdp", "runtime.logits=chunks"],
        "runtime.logits=chunks is not possible with trainer=fsdp; choose logits=auto or whole",
    ),
    "another model than the base": (
        lambda: None,
        ["evaluate"],
        ["model.n_layer=3"],
        "models/base was made with model.n_layer=2, but this run has model.n_layer=3",
    ),
    "a prompt for no model": (
        lambda: None,
        ["generate"],
        ["model=models/none"],
        "no model folder models/none; make one with `dvc repro pretrain or instruct`",
    ),
    "an unknown value": (
        lambda: None,
        ["pretrain"],
        ["pretrain.max_step=3"],
        "did you mean pretrain.max_steps",
    ),
    "an unknown choice": (lambda: None, ["pretrain"], ["model=smal"], "did you mean small"),
    "a word for a number": (
        lambda: None,
        ["pretrain"],
        ["pretrain.max_steps=many"],
        "pretrain.max_steps='many': must be an integer",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line(workspace: Path, capfd, monkeypatch: pytest.MonkeyPatch, mistake: str) -> None:
    spoil, (*before, last), overrides, says = MISTAKES[mistake]
    spoil()
    if "corpus=files" in overrides:
        (workspace / "params.yaml").write_text("model: micro\nset: {pretrain: {batch_size: 8}}\n")
    for stage in before:
        monkeypatch.setattr("sys.argv", ["foundling", stage, *overrides])
        main()
    capfd.readouterr()
    line = told(capfd, monkeypatch, last, *overrides)
    assert re.search(says, line), line


def test_an_unknown_command_names_the_near_one(
    workspace: Path, capfd, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "unknown command 'pretain'; did you mean pretrain or" in told(capfd, monkeypatch, "pretain")


def test_a_sweep_runs_in_folders_of_its_own(workspace: Path, capfd, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (workspace / "models/base/model.safetensors").read_bytes()
    arguments = ["foundling", "pretrain", "-m", "seed=1,2", "pretrain.max_steps=2"]
    monkeypatch.setattr("sys.argv", arguments)
    main()
    made = sorted((workspace / "multirun/pretrain").glob("*/*/metrics/pretrain.json"))
    assert [path.parts[-3] for path in made] == ["0", "1"]
    losses = [json.loads(path.read_text())["val/loss"] for path in made]
    assert losses[0] != losses[1]
    assert (workspace / "models/base/model.safetensors").read_bytes() == before


def test_a_sweep_whose_inputs_were_made_otherwise_refuses(workspace: Path, capfd, monkeypatch) -> None:
    line = told(capfd, monkeypatch, "pretrain", "-m", "tokenizer.vocab_size=700,800")
    assert "run `dvc repro tokenize` first" in line
