"""A model is a folder: config.json, model.safetensors, tokenizer/, provenance.json and README.md, its card.

It is checked by name and shape when it is read.
"""

import dataclasses
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from foundling.artifacts import atomic_folder, read_json, sha256, write_json
from foundling.model.gpt import GPT, GPTConfig, weightless
from foundling.text.tokenizer import Tokenizer
from foundling.weights.card import CARD, card
from foundling.weights.provenance import PROVENANCE, recorded_files

WEIGHTS = "model.safetensors"
CONFIG = "config.json"
TOKENIZER = "tokenizer"
DTYPES = ("F64", "F32", "F16", "BF16")
SHOWN = 8  # faults in one message

Model = TypeVar("Model", bound=nn.Module)


def save(
    folder: Path,
    model: nn.Module,
    tokenizer: Tokenizer | None = None,
    provenance: dict[str, Any] | None = None,
    beside_it: Mapping[str, Any] | None = None,
) -> None:
    """Write the model whole or not at all. A snapshot along a training needs neither tokenizer nor provenance.

    Any module will do whose `config` is a dataclass that it can be built from. `beside_it` names further JSON files.
    provenance.json also holds each file's sha256, and the card follows from it.
    """
    config: Any = model.config
    with atomic_folder(folder) as beside:
        write_json(beside / CONFIG, dataclasses.asdict(config))
        save_tensors({n: t.detach().cpu().contiguous() for n, t in model.state_dict().items()}, beside / WEIGHTS)
        if tokenizer is not None:
            tokenizer.save(beside / TOKENIZER)
        for name, value in (beside_it or {}).items():
            write_json(beside / name, value)
        if provenance is not None:
            made = provenance | {"files": hashes(beside)}
            write_json(beside / PROVENANCE, made)
            text = card(read_json(beside / CONFIG), sum(p.numel() for p in model.parameters()), made)
            (beside / CARD).write_text(text, encoding="utf-8", newline="\n")


def save_tensors(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write a safetensors file; a full disk is the system's own error, as with any other file."""
    try:
        save_file(tensors, path, metadata)
    except SafetensorError as error:
        if found := re.search(r"os error (\d+)", str(error)):
            raise OSError(int(found[1]), os.strerror(int(found[1])), str(path)) from None
        raise


def hashes(folder: Path) -> dict[str, str]:
    """The sha256 of each file in a folder, by its name there."""
    names = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
    return {name: sha256(folder / name) for name in names}


def load(folder: Path) -> tuple[GPT, Tokenizer]:
    """Read a GPT with its tokenizer, on the CPU, in evaluation mode; refuse a pair that does not belong together."""
    return load_as(folder, GPT, GPTConfig)


def load_as(folder: Path, kind: type[Model], shape: type) -> tuple[Model, Tokenizer]:
    """The same of any kind of model, which is built from the dataclass `shape`."""
    _own_tokenizer(folder)
    model, tokenizer = _read(folder, kind, shape), Tokenizer.load(folder / TOKENIZER)
    vocabulary = model.config.vocab_size  # type: ignore[union-attr]
    if tokenizer.vocab_size > vocabulary:  # type: ignore[operator]
        raise ValueError(
            f"{folder / TOKENIZER} has {tokenizer.vocab_size} tokens and {folder / CONFIG} {vocabulary}; "
            "they are of different models: run `dvc repro` to build the folder anew"
        )
    return model, tokenizer


def _own_tokenizer(folder: Path) -> None:
    """Refuse a tokenizer whose bytes are not those that the model was saved with."""
    for name, hashed in recorded_files(folder).items():
        file = folder / name
        if name.startswith(f"{TOKENIZER}/") and file.is_file() and sha256(file) != hashed:
            raise ValueError(
                f"{file} is not of the tokenizer that this model was made with (its sha256 differs from the one in "
                f"{PROVENANCE}); take it back with `dvc checkout`, or make the model again with `dvc repro`"
            )


def load_model(folder: Path) -> GPT:
    """Read a GPT alone. Missing, extra and misshapen tensors are named before any memory is taken."""
    return _read(folder, GPT, GPTConfig)


def _read(folder: Path, kind: type[Model], shape: type) -> Model:
    config, path = read_config(folder, shape), folder / WEIGHTS
    if not path.is_file():
        raise ValueError(f"{path} is missing; run the stage that makes it (`dvc repro` runs all that are needed)")
    try:
        with safe_open(path, framework="pt") as file:
            found = _shapes(path, file)
            require_layers(str(path), config, found)
            with weightless():
                model = kind(config)
            check(str(path), found, {name: tuple(t.shape) for name, t in model.state_dict().items()})
            state = {name: file.get_tensor(name) for name in found}
    except (SafetensorError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise ValueError(f"{path} is no whole safetensors file ({error}); make it again with `dvc repro`") from None
    model.load_state_dict(state, assign=True)
    model.make_tables()  # type: ignore[operator]
    return model.eval()


def _shapes(path: Path, file: Any) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor, by the file's header alone, found to be of a float type."""
    found = {}
    for name in file.keys():  # noqa: SIM118
        part = file.get_slice(name)
        if part.get_dtype() not in DTYPES:
            raise ValueError(
                f"{path}: {name} has dtype {part.get_dtype()}; allowed are {', '.join(DTYPES)}; make it again with "
                "`dvc repro`"
            )
        found[name] = tuple(part.get_shape())
    return found


def require_layers(where: str, config: Any, found: Mapping[str, Any]) -> None:
    """Refuse a config of more layers than a file has tensors, before anything is built: no layer is without one."""
    shape = getattr(config, "trunk", config)
    layers = sum(getattr(shape, name, 0) for name in ("n_layer", "n_encoder", "n_decoder"))
    if layers > len(found):
        raise ValueError(
            f"{where} does not fit its config, which asks for {layers:,} layers and finds {len(found):,} tensors; take "
            f"the {CONFIG} that belongs to it"
        )


def read_config(folder: Path, shape: Any = GPTConfig) -> Any:
    """A model's shape from config.json, as the dataclass `shape`; unknown and missing fields are named."""
    return _as(shape, read_json(folder / CONFIG), folder / CONFIG)


def _as(kind: Any, values: Any, path: Path) -> Any:
    """Values as the dataclass `kind`, whose fields may be dataclasses themselves."""
    fields = {field.name: field.type for field in dataclasses.fields(kind)}
    if not isinstance(values, dict) or set(values) != set(fields):
        odd = sorted(set(fields).symmetric_difference(values if isinstance(values, dict) else ()))
        raise ValueError(
            f"{path} is no {kind.__name__.removesuffix('Config')}'s config: {', '.join(name[:40] for name in odd[:6])} "
            "missing or unknown; see docs/models.md"
        )
    nested = {name: _as(fields[name], values[name], path) for name in fields if dataclasses.is_dataclass(fields[name])}
    try:
        return kind(**values | nested)
    except ValueError as error:
        raise ValueError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from None


def check(where: str, found: Mapping[str, tuple[int, ...]], wanted: Mapping[str, tuple[int, ...]]) -> None:
    """Compare shapes by name; ValueError names what is missing, extra and misshapen."""
    faults = [f"{name} is missing" for name in wanted if name not in found]
    faults += [f"{name} is not of this model" for name in found if name not in wanted]
    faults += [
        f"{name} has shape {found[name]}, {shape} is expected"
        for name, shape in wanted.items()
        if found.get(name, shape) != shape
    ]
    if faults:
        raise ValueError(f"{where} does not fit its config: {listed(faults)}")


def listed(faults: Sequence[str], separator: str = "; ") -> str:
    """The first faults in one line, and how many more there are."""
    more = [f"and {len(faults) - SHOWN} more"] if len(faults) > SHOWN else []
    return separator.join([*faults[:SHOWN], *more])
