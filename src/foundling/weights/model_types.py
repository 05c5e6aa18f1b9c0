"""Our GPT and architectures of your own: from a section of settings, or a name in a model folder, to config
and model.

A name is that of a file conf/model/NAME.yaml with a `_target_`, or an entry point of an installed package in
the group foundling.models. What a model folder says is only looked up there; it is never imported itself.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from importlib.metadata import entry_points
from inspect import signature
from pathlib import Path
from typing import Any, get_type_hints

import torch
from hydra.utils import get_class
from pydantic import with_config
from torch import nn

from foundling.config import CONF
from foundling.model.config import GPTConfig
from foundling.model.gpt import GPT
from foundling.model.interface import CustomModel, LanguageModel
from foundling.plain import read_yaml
from foundling.settings.models import GPTSettings, Model
from foundling.validation import STRICT, build

GROUP = "foundling.models"
TARGET = "_target_"


@dataclass(frozen=True)
class ModelType:
    """How a kind of language model is configured and made."""

    config_class: type
    make: Callable[[Any], LanguageModel]  # from an instance of config_class


OURS = ModelType(GPTConfig, GPT)


def from_settings(settings: Model, vocab_size: int) -> tuple[Any, Callable[[Any], LanguageModel]]:
    """The config that the section `model` describes, and what makes the model from it."""
    if isinstance(settings, GPTSettings):
        return GPTConfig.of(settings, vocab_size), GPT
    chosen = named(_name_of(settings.target))
    return build(chosen.config_class, {**settings.arguments, "vocab_size": vocab_size}, "model"), chosen.make


def named(name: Any) -> ModelType:
    """The architecture of this name; ValueError unless conf/model or an installed package has it."""
    targets = _targets()
    if isinstance(name, str) and name in targets:
        return _custom(name, targets[name])
    raise ValueError(
        f"architecture={str(name)[:60]!r}: must be a file {CONF}/model/NAME.yaml with a {TARGET}, or an "
        f"entry point {GROUP} of an installed package; add the one that this model was trained with"
    )


def _name_of(target: str) -> str:
    """The name by which a model folder records this target."""
    for name, known in _targets().items():
        if known == target:
            return name
    raise ValueError(
        f"model.{TARGET}={target[:60]!r}: must be the {TARGET} of a file in {CONF}/model, whose name the "
        f"model folder records; write it into {CONF}/model/NAME.yaml and choose model=NAME"
    )


def _targets() -> dict[str, str]:
    """The dotted paths of classes, by the names that conf/model and installed packages give them."""
    targets = {point.name: point.value.replace(":", ".") for point in entry_points(group=GROUP)}
    for file in sorted(Path(CONF, "model").glob("*.yaml")):
        if target := (read_yaml(file) or {}).get(TARGET):
            targets[file.stem] = str(target)
    return targets


def _custom(name: str, target: str) -> ModelType:
    """The model type of a user's class, whose first argument is annotated with its config dataclass."""
    try:
        model_class: Any = get_class(target)
    except Exception as error:  # whatever the user's module raises while it is imported
        reason = " ".join(str(error.__cause__ or error).split())
        raise ValueError(f"model.{TARGET}={target}: cannot be imported ({reason})") from error
    is_module = isinstance(model_class, type) and issubclass(model_class, nn.Module)
    first = list(signature(model_class).parameters)[:1] if is_module else []
    config_class = get_type_hints(model_class.__init__).get(first[0]) if first else None
    names = {field.name for field in fields(config_class)} if is_dataclass(config_class) else set()
    if not isinstance(config_class, type) or not {"vocab_size", "context"} <= names:
        raise ValueError(
            f"model.{TARGET}={target}: must be an nn.Module whose first argument is annotated with a "
            "dataclass with the fields vocab_size and context; see docs/models.md"
        )
    if not hasattr(config_class, "__pydantic_config__"):
        with_config(STRICT)(config_class)
    return ModelType(config_class, lambda config: _checked(CustomModel(model_class(config), config, name)))


def _checked(model: CustomModel) -> CustomModel:
    """The model, if it maps ids (B, T) to logits (B, T, V)."""
    if next(model.parameters()).is_meta:
        return model
    with torch.no_grad():
        shape = tuple(model.eval()(torch.zeros(1, 1, dtype=torch.long)).shape)
    if shape != (1, 1, model.config.vocab_size):
        raise ValueError(
            f"model {model.architecture} maps ids of shape (1, 1) to {shape}; must be logits of shape "
            f"(B, T, vocab_size), here (1, 1, {model.config.vocab_size})"
        )
    return model.train()
