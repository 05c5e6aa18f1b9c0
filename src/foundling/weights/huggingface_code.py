"""Models that transformers does not know: their config.json, and the Python files that run them there.

The config.json has the fields of our own under our names, and `auto_map`, by which transformers finds its
classes in the files of remote_code/ if the user passes `trust_remote_code=True`. Nothing here imports them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from importlib.resources import files
from pathlib import Path
from typing import Any

from foundling.model.config import GPTConfig, TranslatorConfig
from foundling.validation import build
from foundling.weights.architectures import FOUNDLING

COMMON = "common_foundling.py"
FILES = (
    *("configuration_foundling.py", COMMON, "positions_foundling.py"),
    *("layers_foundling.py", "modeling_foundling.py"),
)
TRANSLATOR_FILES = (
    *("configuration_foundling_translator.py", COMMON),
    *("layers_foundling_translator.py", "stacks_foundling_translator.py", "modeling_foundling_translator.py"),
)
CLASSES = {
    "AutoConfig": "configuration_foundling.FoundlingConfig",
    "AutoModel": "modeling_foundling.FoundlingModel",
    "AutoModelForCausalLM": "modeling_foundling.FoundlingForCausalLM",
    "AutoModelForSequenceClassification": "modeling_foundling.FoundlingForSequenceClassification",
}
TRANSLATOR, SEQ2SEQ = "foundling_translator", "AutoModelForSeq2SeqLM"
TRANSLATOR_CLASSES = {
    "AutoConfig": "configuration_foundling_translator.FoundlingTranslatorConfig",
    "AutoModel": "modeling_foundling_translator.FoundlingTranslatorModel",
    SEQ2SEQ: "modeling_foundling_translator.FoundlingForConditionalGeneration",
}
# fields of config.json besides those of GPTConfig and those that transformers adds to every model
OTHERS = ("keep", "pooling", "initializer_range", "use_cache")


def write_code(folder: Path, names: Sequence[str]) -> None:
    """Copy these Python files into an exported folder."""
    for name in names:
        text = files("foundling.weights").joinpath("remote_code", name).read_text(encoding="utf-8")
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


def write_config(config: GPTConfig | TranslatorConfig, auto_class: str, dtype: str) -> dict[str, Any]:
    """The contents of config.json for transformers' class `auto_class`, without tokens and labels."""
    is_gpt = isinstance(config, GPTConfig)
    classes = CLASSES if is_gpt else TRANSLATOR_CLASSES
    return {
        "architectures": [classes[auto_class].rpartition(".")[2]],
        "auto_map": {kind: classes[kind] for kind in ("AutoConfig", "AutoModel", auto_class)},
        "model_type": FOUNDLING.name if is_gpt else TRANSLATOR,
        "dtype": dtype,
        **asdict(config),
    }


def read_config(
    path: Path, values: Mapping[str, Any], ignored: set[str], free: Mapping[str, Any]
) -> GPTConfig:
    """The shape in a config.json, with `free`: chosen values of fields that training may change.

    ValueError for fields of neither GPTConfig nor transformers (`ignored`).
    """
    names = {field.name for field in fields(GPTConfig)}
    others = values.keys() - names - ignored - {*OTHERS}
    if unknown := sorted(name for name in others if not name.startswith("_")):
        raise ValueError(
            f"{path} has unknown fields: {', '.join(unknown)}; it was written by another version of "
            "Foundling, so use that one"
        )
    shape = {name: values[name] for name in values if name in names}
    try:
        return build(GPTConfig, {**shape, **free}, "model")
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
