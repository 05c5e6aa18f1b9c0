"""The command that makes an input has the choices of the command line that needs it."""

import pytest

from foundling.repro_command import repro_command

SHAKESPEARE = "dvc exp run -S corpus=tiny_shakespeare -S tokenizer=char"


@pytest.mark.parametrize(
    ("stage", "arguments", "command"),
    [
        ("tokenize", ["-m", "seed=1,2", "model=micro", "logger=none"], "dvc repro tokenize"),
        ("tokenize", ["+sweep=shakespeare_lr", "logger=none"], f"{SHAKESPEARE} tokenize"),
        ("tokenize", ["sweep=shakespeare_optuna"], f"{SHAKESPEARE} tokenize"),
        ("tokenize", ["sweep=shakespeare_lr", "tokenizer=bpe"], f"{SHAKESPEARE[:-4]}bpe tokenize"),
        ("tokenize", ["corpus=tiny_shakespeare", "tokenizer=char"], f"{SHAKESPEARE} tokenize"),
        ("fetch@corpus", ["corpus=books", "tokenizer=char"], "dvc exp run -S corpus=books fetch@corpus"),
        ("pretrain", ["model.n_layer=3"], "dvc exp run -S ++set.model.n_layer=3 pretrain"),
        ("tokenize", ["experiment=books"], "dvc exp run -S experiment=books tokenize"),
        ("fetch@classify", ["experiment=books", "corpus=books"], "dvc repro fetch@classify"),
        ("tokenize", ["sweep=none_such"], "dvc repro tokenize"),
    ],
)
def test_the_settings_that_a_stage_reads_are_in_its_command(
    stage: str, arguments: list[str], command: str
) -> None:
    assert repro_command(stage, arguments) == command


def test_a_setting_with_several_values_is_left_out() -> None:
    arguments = ["-m", "tokenizer.vocab_size=700,800", "corpus=books"]
    assert repro_command("tokenize", arguments, ["tokenizer.vocab_size"]) == (
        "dvc exp run -S corpus=books tokenize"
    )
