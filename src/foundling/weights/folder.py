"""A model is a folder: config.json, model.safetensors, tokenizer/, provenance.json; checked by name and shape."""

import dataclasses
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from foundling.artifacts import atomic_folder, read_json, write_json
from foundling.model.classifier import Classifier, ClassifierConfig
from foundling.model.gpt import GPT, GPTConfig
from foundling.text.tokenizer import Tokenizer

WEIGHTS = "model.safetensors"
CONFIG = "config.json"
TOKENIZER = "tokenizer"
PROVENANCE = "provenance.json"
CONFIGS: dict[type, type] = {GPT: GPTConfig, Classifier: ClassifierConfig}  # a kind of model and its shape

Model = TypeVar("Model", GPT, Classifier)


def save(
    folder: Path, model: GPT | Classifier, tokenizer: Tokenizer | None = None, provenance: dict[str, Any] | None = None
) -> None:
    """Write the model whole or not at all. A snapshot along a training needs neither tokenizer nor provenance."""
    with atomic_folder(folder) as beside:
        write_json(beside / CONFIG, dataclasses.asdict(model.config))
        save_file({name: t.detach().cpu().contiguous() for name, t in model.state_dict().items()}, beside / WEIGHTS)
        if tokenizer is not None:
            tokenizer.save(beside / TOKENIZER)
        if provenance is not None:
            write_json(beside / PROVENANCE, provenance)


def load(folder: Path) -> tuple[GPT, Tokenizer]:
    """Read a model with its tokenizer, on the CPU, in evaluation mode; refuse a pair that does not belong together."""
    model, tokenizer = load_model(folder), Tokenizer.load(folder / TOKENIZER)
    if tokenizer.vocab_size > model.config.vocab_size:
        raise ValueError(
            f"{folder / TOKENIZER} has {tokenizer.vocab_size} tokens and {folder / CONFIG} {model.config.vocab_size}; "
            "they are of different models: run `dvc repro` to build the folder anew"
        )
    return model, tokenizer


def load_classifier(folder: Path) -> tuple[Classifier, Tokenizer]:
    """Read a classifier with its tokenizer, on the CPU, in evaluation mode."""
    return load_model(folder, Classifier), Tokenizer.load(folder / TOKENIZER)


def load_model(folder: Path, kind: type[Model] = GPT) -> Model:  # type: ignore[assignment]
    """Read a model alone. Missing, extra and misshapen tensors are named before any memory is taken."""
    with torch.device("meta"):
        model = kind(read_config(folder, CONFIGS[kind]))
    path = folder / WEIGHTS
    if not path.is_file():
        raise ValueError(f"{path} is missing; run the stage that makes it (`dvc repro` runs all that are needed)")
    try:
        with safe_open(path, framework="pt") as file:
            _check(path, {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}, model)  # noqa: SIM118
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path} is no whole safetensors file ({error}); make it again with `dvc repro`") from None
    model.load_state_dict(state, assign=True)
    model.make_tables()
    return model.eval()


def read_config(folder: Path, kind: Any = GPTConfig) -> Any:
    """A model's shape from config.json, as the dataclass `kind`; unknown and missing fields are named."""
    return _as(kind, read_json(folder / CONFIG), folder / CONFIG)


def _as(kind: Any, values: Any, path: Path) -> Any:
    """Values as the dataclass `kind`, whose fields may be dataclasses themselves."""
    fields = {field.name: field.type for field in dataclasses.fields(kind)}
    if not isinstance(values, dict) or set(values) != set(fields):
        odd = sorted(set(fields).symmetric_difference(values if isinstance(values, dict) else ()))
        raise ValueError(
            f"{path} is no {kind.__name__.removesuffix('Config')}'s config: {', '.join(odd)} missing or unknown; "
            "see docs/models.md"
        )
    nested = {name: _as(fields[name], values[name], path) for name in fields if dataclasses.is_dataclass(fields[name])}
    return kind(**values | nested)


def _check(path: Path, found: dict[str, tuple[int, ...]], model: torch.nn.Module) -> None:
    wanted = {name: tuple(t.shape) for name, t in model.state_dict().items()}
    faults = [f"{name} is missing" for name in wanted if name not in found]
    faults += [f"{name} is not of this model" for name in found if name not in wanted]
    faults += [
        f"{name} has shape {found[name]}, {wanted[name]} is expected"
        for name in wanted
        if name in found and found[name] != wanted[name]
    ]
    if faults:
        raise ValueError(f"{path} does not fit its {CONFIG}: {'; '.join(faults[:8])}")
