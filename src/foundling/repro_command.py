"""The DVC command that makes a stage's results with the settings of another command line.

`dvc repro` reads params.yaml alone. If a command line, or the sweep that it names, has another corpus, say,
then DVC needs that choice as well.
"""

import shlex
from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from foundling.config import conf_folder
from foundling.selection import flat, key_of

# the sections, and groups of the same names, that determine what a stage makes
CORPUS, TOKENS = ("corpus",), ("corpus", "tokenizer")
SECTIONS = {
    "fetch@corpus": CORPUS,
    "train_tokenizer": TOKENS,
    "tokenize": TOKENS,
    "pretrain": (*TOKENS, "model", "pretrain", "optimizer", "schedule", "seed"),
}


def repro_command(stage: str, arguments: Sequence[str], swept: Sequence[str] = ()) -> str:
    """`dvc repro STAGE`, or `dvc exp run -S … STAGE` if the arguments have settings that the stage reads.

    Args:
        stage: its name in dvc.yaml.
        arguments: of the command line; flags are ignored.
        swept: keys with several values, which no single run can have.
    """
    sections = SECTIONS.get(stage, ())
    changes = {key: value for key, value in _settings(arguments) if key.split(".")[0] in sections}
    experiments = [one for one in arguments if sections and key_of(one) == "experiment"]
    options = [*experiments[-1:], *(_option(key, changes[key]) for key in changes if key not in swept)]
    if not options:
        return f"dvc repro {stage}"
    return shlex.join(["dvc", "exp", "run", *(word for one in options for word in ("-S", one)), stage])


def _settings(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Keys and values of the sweep that the arguments name, then of the arguments."""
    for argument in arguments:
        if key_of(argument) == "sweep":
            yield from _of_sweep(argument.partition("=")[2])
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if equals:
            yield key.lstrip("+"), value


def _of_sweep(name: str) -> Iterator[tuple[str, str]]:
    """The choices and single values in conf/sweep/<name>.yaml, after those of the sweeps it builds on."""
    file = conf_folder() / "sweep" / f"{name}.yaml"
    values: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else {}
    for line in values.pop("defaults", []):
        if isinstance(line, dict):
            for key, choice in line.items():
                yield key.removeprefix("override").strip().lstrip("/"), str(choice)
        elif line != "_self_":
            yield from _of_sweep(str(line))
    yield from ((key, str(value)) for key, value in flat(values))


def _option(key: str, value: str) -> str:
    """A change of params.yaml: a group's choice is a line of its own, a single value belongs under `set`."""
    return f"{key}={value}" if (conf_folder() / key).is_dir() else f"++set.{key}={value}"
