"""conf/ and settings/ have the same settings, and every shipped choice is valid."""

from collections.abc import Iterator
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import pytest

from foundling import config
from foundling.literals import inner_types
from foundling.settings import (
    Settings,
    commands,
    datasets,
    generation,
    models,
    resolved,
    rope,
    training,
)
from foundling.settings.types import CustomComponent
from foundling.validation import build

CONF = Path(__file__).parents[2] / "conf"
FILES = [
    file
    for file in sorted(CONF.glob("*/*.yaml"))
    if file.parent.name != "hydra" and f"{file.parent.name}/{file.stem}" not in config.NOT_CHOICES
]
CHOICES = [f"{file.parent.name}={file.stem}" for file in FILES]
# choices that read a user's own files
OWN = {
    **dict.fromkeys(("files", "messages", "tsv", "local"), ("path",)),
    "parallel": ("source_path", "target_path"),
}
# groups whose choices are parts of others: where one is composed
PARTS = {
    "benchmark": "+benchmark@evaluate.benchmarks.mine",
    "documents": "documents@corpus",
    "faults": "faults@pretrain.faults",
    "sweep": "+sweep",
    "transformer": "transformer@train_translator.model",
}
# fields that no file of conf/ names
OPTIONAL = {
    (datasets.File, "path"): "only in a user's own sources",
    **{
        (rope.YarnScaling, name): "YaRN's, in imported models"
        for name in ("beta_fast", "beta_slow", "truncate")
    },
    (rope.YarnScaling, "attention_factor"): "the same",
    **{
        (rope.LongropeScaling, name): "LongRoPE's, in imported models"
        for name in ("short_factors", "long_factors", "attention_factor")
    },
    **{
        (models.GPTSettings, name): "of published shapes"
        for name in ("rotary_dim", "window", "window_blocks")
    },
    **{
        (kind, "no_repeat_ngram_size"): "samples show what a model writes by itself"
        for kind in (generation.Sample, commands.Samples)
    },
    (training.Classify, "separator"): "of text files; labelled texts are rows",
}


def settings_of(choice: str) -> dict[str, Any]:
    """The composed values, as plain ones."""
    group, _, name = choice.partition("=")
    override = f"{PARTS[group]}={name}" if group in PARTS else choice
    paths = [f"{group}.{key}=mine" for key in OWN.get(name, ())]
    return resolved(config.compose([override, *paths]))


@pytest.fixture(scope="module")
def composed() -> dict[str, dict[str, Any]]:
    """The values of each choice."""
    return {choice: settings_of(choice) for choice in CHOICES}


@pytest.mark.parametrize("choice", CHOICES)
def test_every_shipped_choice_is_valid(composed: dict[str, dict[str, Any]], choice: str) -> None:
    assert build(Settings, composed[choice], "")


def test_a_key_of_conf_without_a_field_is_an_error(composed: dict[str, dict[str, Any]]) -> None:
    values = composed["model=nano"]
    for section, key in ((values, "extra"), (values["pretrain"]["sample"], "promt")):
        section[key] = 1
        with pytest.raises(ValueError, match=f"{key}: unknown key"):
            build(Settings, values, "")
        del section[key]


def test_each_field_is_a_key_of_some_file_of_conf(composed: dict[str, dict[str, Any]]) -> None:
    named = {pair for values in composed.values() for pair in fields_in(values, [Settings])}
    classes = {kind for kind, _ in named}
    fields = {(kind, name) for kind in classes for name in kind.__pydantic_fields__ if name != "target"}
    missing = {(kind.__name__, name) for kind, name in fields - named - set(OPTIONAL)}
    assert missing == set()
    assert not named & set(OPTIONAL)


def fields_in(values: Any, kinds: list[Any]) -> Iterator[tuple[Any, str]]:
    """(class, field) of each key in nested values of these types."""
    if isinstance(values, list):
        for value in values:
            yield from fields_in(value, [inner for kind in kinds for inner in inner_types(kind, "0")])
    if isinstance(values, dict):
        target = values.get("_target_")
        sections = [kind for kind in kinds if is_dataclass(kind) and _builds(kind, target)]
        yield from ((kind, name) for kind in sections for name in values if name in kind.__pydantic_fields__)
        for name, value in values.items():
            yield from fields_in(
                value, [inner for kind in sections or kinds for inner in inner_types(kind, name)]
            )


def _builds(kind: Any, target: str | None) -> bool:
    """Whether a section is the one of this `_target_`, if there is any."""
    if target is None:
        return True
    annotation = kind.__pydantic_fields__["target"].annotation
    return kind is not CustomComponent and target in getattr(annotation, "__args__", ())
