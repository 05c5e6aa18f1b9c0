"""Hugging Face checkpoints: the names of their tensors in each family, and loading them as our GPT."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from foundling.artifacts import read_json
from foundling.model.config import GPTConfig
from foundling.model.gpt import GPT
from foundling.weights.huggingface_config import CONFIG
from foundling.weights.names import Entry, Rows, Table, load_tensors, unpack
from foundling.weights.safetensors_file import read_tensor

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
DTYPES = ("F32", "F16", "BF16")


def _layer(ours: str, theirs: str, bias: bool = True, transposed: bool = False) -> Table:
    """A layer's weight and bias; a `*` in their name stands for q, k and v, which we store as one tensor."""
    names = [theirs.replace("*", part) for part in "qkv"] if "*" in theirs else [theirs]
    entries = []
    for kind in ("weight", "bias") if bias else ("weight",):
        entries.append(Entry(f"{ours}.{kind}", tuple(f"{name}.{kind}" for name in names), transposed))
    return tuple(entries)


# of a block of ours, whose tensors have our own names in remote_code/modeling_foundling.py
_PARTS = (
    *(
        "convolution",
        "attention_norm",
        "convolution_norm",
        "convolution.projection",
        "convolution.out",
        "attention.qkv",
        "attention.blend",
        "attention.q_norm",
        "attention.k_norm",
    ),
    *("attention.out", "mlp_norm", "mlp.up", "mlp.gate", "mlp.out"),
)
# names without the prefix that all tensors but the head have
_GPT2: Table = (
    *_layer("token_embedding", "wte", bias=False),
    *_layer("position_embedding", "wpe", bias=False),
    *_layer("norm", "ln_f"),
    *_layer("blocks.{i}.attention_norm", "h.{i}.ln_1"),
    *_layer("blocks.{i}.attention.qkv", "h.{i}.attn.c_attn", transposed=True),
    *_layer("blocks.{i}.attention.out", "h.{i}.attn.c_proj", transposed=True),
    *_layer("blocks.{i}.mlp_norm", "h.{i}.ln_2"),
    *_layer("blocks.{i}.mlp.up", "h.{i}.mlp.c_fc", transposed=True),
    *_layer("blocks.{i}.mlp.out", "h.{i}.mlp.c_proj", transposed=True),
    *_layer("output", "lm_head", bias=False),
)


_PRE_NORM = ("input_layernorm", "post_attention_layernorm")


def _llama(qkv: str = "layers.{i}.self_attn.*_proj", norms: tuple[str, str] = _PRE_NORM) -> Table:
    attention_norm, mlp_norm = norms
    return (
        *_layer("token_embedding", "embed_tokens", bias=False),
        *_layer("norm", "norm", bias=False),
        *_layer("blocks.{i}.attention_norm", f"layers.{{i}}.{attention_norm}", bias=False),
        *_layer("blocks.{i}.attention.qkv", qkv),
        *_layer("blocks.{i}.attention.q_norm", "layers.{i}.self_attn.q_norm", bias=False),
        *_layer("blocks.{i}.attention.k_norm", "layers.{i}.self_attn.k_norm", bias=False),
        *_layer("blocks.{i}.attention.out", "layers.{i}.self_attn.o_proj"),
        *_layer("blocks.{i}.mlp_norm", f"layers.{{i}}.{mlp_norm}", bias=False),
        *_layer("blocks.{i}.mlp.gate", "layers.{i}.mlp.gate_proj"),
        *_layer("blocks.{i}.mlp.up", "layers.{i}.mlp.up_proj"),
        *_layer("blocks.{i}.mlp.out", "layers.{i}.mlp.down_proj"),
        *_layer("output", "lm_head", bias=False),
    )


_LFM2: Table = (
    *_layer("token_embedding", "embed_tokens", bias=False),
    *_layer("norm", "embedding_norm", bias=False),
    *_layer("blocks.{i}.attention_norm", "layers.{i}.operator_norm", bias=False),
    *_layer("blocks.{i}.attention.qkv", "layers.{i}.self_attn.*_proj", bias=False),
    *_layer("blocks.{i}.attention.q_norm", "layers.{i}.self_attn.q_layernorm", bias=False),
    *_layer("blocks.{i}.attention.k_norm", "layers.{i}.self_attn.k_layernorm", bias=False),
    *_layer("blocks.{i}.attention.out", "layers.{i}.self_attn.out_proj", bias=False),
    *_layer("blocks.{i}.convolution_norm", "layers.{i}.operator_norm", bias=False),
    *_layer("blocks.{i}.convolution.projection", "layers.{i}.conv.in_proj", bias=False),
    Entry("blocks.{i}.convolution.weight", ("layers.{i}.conv.conv.weight",), depthwise=True),
    *_layer("blocks.{i}.convolution.out", "layers.{i}.conv.out_proj", bias=False),
    *_layer("blocks.{i}.mlp_norm", "layers.{i}.ffn_norm", bias=False),
    *_layer("blocks.{i}.mlp.gate", "layers.{i}.feed_forward.w1", bias=False),
    *_layer("blocks.{i}.mlp.up", "layers.{i}.feed_forward.w3", bias=False),
    *_layer("blocks.{i}.mlp.out", "layers.{i}.feed_forward.w2", bias=False),
    *_layer("output", "lm_head", bias=False),
)
_FOUNDLING: Table = (
    *_layer("token_embedding", "token_embedding", bias=False),
    *_layer("position_embedding", "position_embedding", bias=False),
    *_layer("norm", "norm"),
    *_layer("output", "lm_head", bias=False),
    *(entry for name in _PARTS for entry in _layer(f"blocks.{{i}}.{name}", f"blocks.{{i}}.{name}")),
)
TABLES = {
    "gpt2": _GPT2,
    **dict.fromkeys(("llama", "mistral", "qwen2", "qwen3", "smollm3"), _llama()),
    "phi3": _llama("layers.{i}.self_attn.qkv_proj"),
    "lfm2": _LFM2,
    "olmo2": _llama(norms=("post_attention_layernorm", "post_feedforward_layernorm")),
    "foundling": _FOUNDLING,
}
PACKED = {".gate_up_proj.weight": (".gate_proj.weight", ".up_proj.weight")}  # Phi-3's
COMPILED = "_orig_mod."  # in front of each name in the state_dict of a model that torch.compile has wrapped
PREFIXES = {name: "transformer." if name == "gpt2" else "model." for name in TABLES}
HEAD = "lm_head.weight"
# tensors that follow from the config: masks and tables, which old versions stored
DERIVED = (".attn.bias", ".attn.masked_bias", "rotary_emb.inv_freq")


def is_checkpoint(folder: Path) -> bool:
    """Whether a folder holds a checkpoint of transformers: its config.json has a model_type."""
    path = folder / CONFIG
    return path.is_file() and "model_type" in read_json(path)


def load_model(folder: Path, name: str, config: GPTConfig, dtype: torch.dtype = torch.float32) -> GPT:
    """Load the folder's safetensors, one file or shards, as a model of architecture `name`.

    Loading takes hardly more memory than the weights themselves.
    """
    files = _files(folder)
    prefix = PREFIXES[name]
    parts: dict[str, Rows] = {}
    locations: dict[str, tuple[Path, str]] = {}
    for tensor, path, shape in _tensors(files):
        short = tensor.removeprefix(COMPILED).removeprefix(prefix)
        if not short.endswith(DERIVED):
            locations[short] = path, tensor
            parts |= unpack(short, shape, PACKED)
    if config.tied and HEAD in parts:
        _require_tied(locations, TABLES[name][0].theirs[0], folder)
        del parts[HEAD]

    opened: dict[Path, Any] = {path: safe_open(path, framework="pt") for path in files}

    def read(short: str) -> Tensor:
        part = parts[short]
        path, tensor = locations[part.stored]
        if len(part.shape) == 1:
            vector: Tensor = opened[path].get_tensor(tensor)
            return vector
        return read_tensor(path, tensor, dtype, part.start, part.shape[0])

    shapes = {short: part.shape for short, part in parts.items()}
    return load_tensors(TABLES[name], config, shapes, read, str(folder), dtype)


def _files(folder: Path) -> list[Path]:
    """The safetensors files of a folder; ValueError if there are none."""
    if (folder / INDEX).is_file():
        named = read_json(folder / INDEX).get("weight_map")
        if (
            not isinstance(named, dict)
            or not named
            or not all(isinstance(name, str) for name in named.values())
        ):
            raise ValueError(f"{folder / INDEX} has no weight_map from tensors to files; fetch it again")
        names = sorted(set(named.values()))
        if outside := [name for name in names if Path(name).name != name or "\0" in name]:
            raise ValueError(f"{folder / INDEX} names {outside[0]}; shards must be in the folder itself")
        if missing := [name for name in names if not (folder / name).is_file()]:
            raise ValueError(f"{folder} lacks {', '.join(missing)}, which {INDEX} names; fetch them too")
        return [folder / name for name in names]
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    refuse_pickles(folder)
    raise ValueError(f"{folder} has neither {WEIGHTS} nor {INDEX}; fetch one of them too")


def refuse_pickles(path: Path) -> None:
    """Raise ValueError for a pickle, or a folder with one: loading a pickle can execute arbitrary code."""
    candidates: Iterable[Path] = path.iterdir() if path.is_dir() else [path]
    if pickles := sorted(file.name for file in candidates if file.suffix in PICKLES):
        raise ValueError(
            f"{path} stores weights as a pickle ({', '.join(pickles)}), which can execute arbitrary code; "
            "Foundling reads safetensors only: use the safetensors of the same model, or, if you trust the "
            "file, convert it with transformers (model.save_pretrained)"
        )


def _tensors(files: list[Path]) -> Iterable[tuple[str, Path, tuple[int, ...]]]:
    """Name, file and shape of each tensor, all of float types. safetensors itself checks the sizes."""
    for path in files:
        try:
            with safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118
                    header = file.get_slice(name)
                    if header.get_dtype() not in DTYPES and not name.endswith(DERIVED):
                        raise ValueError(
                            f"{path}: {name} has dtype {header.get_dtype()}; must be one of "
                            f"{', '.join(DTYPES)}: use the checkpoint that is not quantized"
                        )
                    yield name, path, tuple(header.get_shape())
        except (SafetensorError, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise ValueError(f"{path} is not a valid safetensors file ({error}); fetch it again") from None


def _require_tied(locations: dict[str, tuple[Path, str]], embedding: str, folder: Path) -> None:
    """Some programs store a tied head too; ValueError if it differs from the embedding."""
    tensors = []
    for path, tensor in (locations[HEAD], locations.get(embedding, locations[HEAD])):
        with safe_open(path, framework="pt") as file:
            tensors.append(file.get_tensor(tensor))
    if not tensors[0].equal(tensors[1]):
        raise ValueError(
            f"{folder}: tie_word_embeddings is true, but {HEAD} differs from {embedding}; set it to false in "
            f"{CONFIG} if the head is a separate layer"
        )
