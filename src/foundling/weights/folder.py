"""Model folders: config.json, model.safetensors, tokenizer/, provenance.json and README.md, the model's card.

The names, shapes and types of all tensors are checked before any is read.
"""

import dataclasses
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from foundling.artifacts import atomic_folder, read_json, sha256, write_json
from foundling.model.classifier import Classifier
from foundling.model.config import ClassifierConfig, GPTConfig
from foundling.model.interface import LanguageModel
from foundling.model.meta import meta_model
from foundling.text.tokenizer import Tokenizer
from foundling.validation import build
from foundling.weights.card import CARD, card
from foundling.weights.checks import check_shapes, require_layers
from foundling.weights.model_types import OURS, ModelType, named
from foundling.weights.provenance import PROVENANCE, recorded_files
from foundling.weights.safetensors_file import is_stored_as, read_tensor

WEIGHTS = "model.safetensors"
CONFIG = "config.json"
ARCHITECTURE = "architecture"  # in config.json: the name of an architecture of the user's own
TOKENIZER = "tokenizer"
DTYPES = ("F64", "F32", "F16", "BF16")

Model = TypeVar("Model", bound=nn.Module)
Config = TypeVar("Config")


def save(
    folder: Path,
    model: nn.Module,
    tokenizer: Tokenizer | None = None,
    provenance: dict[str, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Write a model folder atomically.

    Args:
        folder: replaced if it exists.
        model: any module with a dataclass `config` that it can be built from.
        tokenizer: left out of snapshots during training, as is the provenance.
        provenance: the record of what the model was made of; the sha256 of each file is added, and the card
            derived.
        extra: further JSON files by name.
    """
    with atomic_folder(folder) as temporary:
        write_json(temporary / CONFIG, _described(model))
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in _tensors(model).items()}
        save_tensors(tensors, temporary / WEIGHTS)
        if tokenizer is not None:
            tokenizer.save(temporary / TOKENIZER)
        for name, value in (extra or {}).items():
            write_json(temporary / name, value)
        if provenance is not None:
            record = provenance | {"files": hashes(temporary)}
            write_json(temporary / PROVENANCE, record)
            text = card(read_json(temporary / CONFIG), sum(p.numel() for p in model.parameters()), record)
            (temporary / CARD).write_text(text, encoding="utf-8", newline="\n")


def save_tensors(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write a safetensors file; system errors such as a full disk are raised as OSError."""
    try:
        save_file(tensors, path, metadata)
    except SafetensorError as error:
        if code := re.search(r"os error (\d+)", str(error)):
            raise OSError(int(code[1]), os.strerror(int(code[1])), str(path)) from None
        raise


def hashes(folder: Path) -> dict[str, str]:
    """The sha256 of each file in a folder, by its relative path."""
    names = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
    return {name: sha256(folder / name) for name in names}


def load(folder: Path, dtype: torch.dtype = torch.float32) -> tuple[LanguageModel, Tokenizer]:
    """Load a language model and its tokenizer, as `load_as`."""
    return load_as(folder, LanguageModel, GPTConfig, dtype)


def load_as(
    folder: Path, model_class: type[Model], config_class: type, dtype: torch.dtype = torch.float32
) -> tuple[Model, Tokenizer]:
    """Load any kind of model and its tokenizer, on the CPU, in evaluation mode, with weights of this type.

    A language model, and a classifier's, is of the architecture that config.json names, or our GPT.

    A damaged folder, or a tokenizer that does not belong to the model, raises ValueError.
    """
    _require_recorded_tokenizer(folder)
    model = _load(folder, model_class, config_class, dtype)
    tokenizer = Tokenizer.load(folder / TOKENIZER)
    vocab_size: Any = model.config.vocab_size  # type: ignore[union-attr]
    if tokenizer.vocab_size > vocab_size:
        raise ValueError(
            f"{folder / TOKENIZER} has {tokenizer.vocab_size} tokens and {folder / CONFIG} {vocab_size}; "
            "they belong to different models: run `dvc repro` to rebuild the folder"
        )
    return model, tokenizer


def load_model(folder: Path, dtype: torch.dtype = torch.float32) -> LanguageModel:
    """Load a language model without its tokenizer."""
    return _load(folder, LanguageModel, GPTConfig, dtype)


def read_config(folder: Path, config_class: type[Config] = GPTConfig) -> Config:  # type: ignore[assignment]
    """Read config.json as `config_class`; invalid, unknown and missing fields raise ValueError."""
    return cast(Config, _read_config(folder, config_class)[0])


def _read_config(folder: Path, config_class: type) -> tuple[Any, ModelType]:
    """The config, and the type of the language model that it describes or that its classifier reads."""
    path = folder / CONFIG
    values = read_json(path)
    try:
        trunk = values.get("trunk") if config_class is ClassifierConfig else values
        model_type = OURS
        if (
            config_class in (GPTConfig, ClassifierConfig)
            and isinstance(trunk, dict)
            and ARCHITECTURE in trunk
        ):
            model_type = named(trunk.pop(ARCHITECTURE))
        described: Any = model_type.config_class if config_class is GPTConfig else config_class
        if config_class is ClassifierConfig:
            described = described[model_type.config_class]
        return build(described, values, ""), model_type
    except ValueError as error:
        raise ValueError(f"{path}: {error}; see docs/models.md") from None


def _load(folder: Path, model_class: type[Model], config_class: type, dtype: torch.dtype) -> Model:
    config, model_type = _read_config(folder, config_class)

    def make(config: Any) -> Any:
        if config_class is ClassifierConfig:
            return Classifier(config, model_type.make(config.trunk))
        return model_type.make(config) if config_class is GPTConfig else model_class(config)

    path, state = folder / WEIGHTS, {}
    if not path.is_file():
        raise ValueError(
            f"{path} is missing; run the stage that makes it (`dvc repro` runs all that are needed)"
        )
    try:
        with safe_open(path, framework="pt") as file:
            shapes = _read_shapes(path, file)
            if model_type is OURS:
                require_layers(str(path), config, shapes)
            model = meta_model(make, config)
            check_shapes(str(path), shapes, {name: tuple(t.shape) for name, t in _tensors(model).items()})
            for name in shapes:
                stored_so = is_stored_as(dtype, name, file)
                state[name] = file.get_tensor(name) if stored_so else read_tensor(path, name, dtype)
    except (SafetensorError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise ValueError(
            f"{path} is not a valid safetensors file ({error}); rebuild it with `dvc repro`"
        ) from None
    if model_type is OURS:
        model.load_state_dict(state, assign=True)
        model.make_tables()
    # built with its weights, since it may keep state outside of its state dict, and tensors may be tied
    else:
        with torch.random.fork_rng([]):
            model = make(config).to(dtype)
        model.load_state_dict(state, strict=False)
    return cast(Model, model.eval())


def _described(model: nn.Module) -> dict[str, Any]:
    """The model's config as plain values, with the name of an architecture of the user's own."""
    config: Any = model.config
    values = dataclasses.asdict(config)
    name = getattr(getattr(model, "trunk", model), "architecture", None)
    if name is None:
        return values
    if "trunk" in values:
        return values | {"trunk": {ARCHITECTURE: name, **values["trunk"]}}
    return {ARCHITECTURE: name, **values}


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    """The tensors of the state dict, tied ones once, under their first name."""
    unique = {id(tensor): name for name, tensor in reversed(model.state_dict(keep_vars=True).items())}
    names = set(unique.values())
    return {name: tensor for name, tensor in model.state_dict().items() if name in names}


def _read_shapes(path: Path, file: Any) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor, from the file's header; ValueError if one is not of a float type."""
    shapes = {}
    for name in file.keys():  # noqa: SIM118
        header = file.get_slice(name)
        if header.get_dtype() not in DTYPES:
            raise ValueError(
                f"{path}: {name} has dtype {header.get_dtype()}; must be one of {', '.join(DTYPES)}; rebuild "
                "it with `dvc repro`"
            )
        shapes[name] = tuple(header.get_shape())
    return shapes


def _require_recorded_tokenizer(folder: Path) -> None:
    """Raise ValueError if the tokenizer's files are not those that provenance.json records."""
    for name, recorded in recorded_files(folder).items():
        file = folder / name
        if name.startswith(f"{TOKENIZER}/") and file.is_file() and sha256(file) != recorded:
            raise ValueError(
                f"{file} is not the tokenizer that this model was trained with (its sha256 differs from the "
                f"one in {PROVENANCE}); restore it with `dvc checkout`, or rebuild the model with `dvc repro`"
            )
