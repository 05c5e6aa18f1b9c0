"""GGUF files as our GPT: the shape from their metadata, and their tensors, dequantized.

The names of tensors are those of the export's tables (gguf.py).
"""

import logging
from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from foundling.model.config import GPTConfig
from foundling.model.gpt import GPT
from foundling.validation import build
from foundling.weights.architectures import FREE, GPT2, LFM2, MODERN, OLMO2
from foundling.weights.gguf import TABLES
from foundling.weights.gguf_file import GGUF, find, read_gguf
from foundling.weights.gguf_rope import (
    FACTORS,
    LONGROPE_FACTORS,
    read_rotary_dim,
    read_scaling,
    with_factors,
)
from foundling.weights.gguf_tensors import read_rows, require_dequantizable
from foundling.weights.names import Rows, load_tensors, unpack

log = logging.getLogger(__name__)
DERIVED = (FACTORS, *LONGROPE_FACTORS, ".attn_rot_embd")
PACKED = {"phi3": {".ffn_up.weight": (".ffn_gate.weight", ".ffn_up.weight")}}
FIXED: dict[str, Mapping[str, Any]] = {
    "gpt2": GPT2.fixed,
    **dict.fromkeys(("llama", "qwen2", "smollm3", "phi3"), MODERN | {"qk_norm": False}),
    "qwen3": MODERN | {"qk_norm": True},
    "lfm2": LFM2.fixed,
    "olmo2": OLMO2.fixed,
}
EMPTY = {field.name: None for field in fields(GPTConfig) if field.default is MISSING}
NO_ROPE_INTERVAL = {"smollm3": 4}  # which llama.cpp fixes
# our field -> the key, without the architecture's name in front
FIELDS = {
    **{"context": "context_length", "n_layer": "block_count", "n_embd": "embedding_length"},
    **{"n_ffn": "feed_forward_length", "n_head": "attention.head_count"},
}
READ = {
    *FIELDS.values(),
    *(
        "attention.head_count_kv",
        "attention.key_length",
        "attention.value_length",
        "attention.sliding_window",
    ),
    *(
        "attention.layer_norm_epsilon",
        "attention.layer_norm_rms_epsilon",
        "rope.freq_base",
        "rope.dimension_count",
    ),
    *(
        "rope.scaling.type",
        "rope.scaling.factor",
        "rope.scaling.original_context_length",
        "rope.scaling.attn_factor",
    ),
    *(
        "vocab_size",
        "rope.scaling.finetuned",
        "attention.causal",
        "shortconv.l_cache",
        "use_parallel_residual",
        "rope.scale_linear",
    ),
}


def read_config(file: GGUF, free: Mapping[str, Any]) -> tuple[str, GPTConfig]:
    """The architecture and the model's shape, with `free`: chosen values of fields of FREE.

    ValueError names what our model does not support.
    """
    name = file.metadata.get("general.architecture")
    if name not in FIXED:
        raise ValueError(f"{file.path}: general.architecture={name!r}: must be one of {', '.join(FIXED)}")
    prefix = f"{name}."
    values = {
        key.removeprefix(prefix): value for key, value in file.metadata.items() if key.startswith(prefix)
    }
    if unknown := sorted(key for key in values.keys() - READ if values[key]):
        found = ", ".join(f"{prefix}{key}={str(values[key])[:40]}" for key in unknown)
        raise ValueError(f"{file.path} is not supported by Foundling's {name}: {found}")
    if missing := [key for key in FIELDS.values() if key not in values]:
        raise ValueError(f"{file.path} lacks {', '.join(prefix + key for key in missing)}; fetch it again")
    shape = {**EMPTY, **FIXED[name]}
    shape |= {ours: values[key] for ours, key in FIELDS.items()}
    shape |= {
        "head_dim": values.get("attention.key_length"),
        "norm_eps": values.get(
            "attention.layer_norm_rms_epsilon", values.get("attention.layer_norm_epsilon", 1e-5)
        ),
        "rope_theta": values.get("rope.freq_base", 10_000.0),
        "rope_scaling": read_scaling(file, values),
        "rotary_dim": read_rotary_dim(str(name), values),
        "rope_skip": NO_ROPE_INTERVAL.get(str(name), 0),
        "vocab_size": file.tensors["token_embd.weight"].shape[0]
        if "token_embd.weight" in file.tensors
        else None,
        "tied": "output.weight" not in file.tensors,
        "bias": _bias(file),
        **_layers(values),
    }
    if isinstance(window := values.get("attention.sliding_window"), int) and 0 < window < shape["context"]:
        shape["window"] = window  # as in transformers; llama.cpp ignores it for the families that we have
    try:
        config = build(GPTConfig, {**shape, **FREE, **free}, "model")
        config = with_factors(file, config)
    except ValueError as error:
        raise ValueError(f"{file.path}: {error}") from None
    for key in ("attention.value_length", *(() if config.rotary_dim else ("rope.dimension_count",))):
        if config.position == "rotary" and values.get(key, config.head_dim) != config.head_dim:
            raise ValueError(
                f"{file.path}: {prefix}{key}={values[key]}: must be the head size, {config.head_dim}"
            )
    return str(name), config


def load_model(file: GGUF, name: str, config: GPTConfig, dtype: torch.dtype = torch.float32) -> GPT:
    """Load the file's tensors, one after the other, as a model of architecture `name`."""
    require_dequantizable(file)
    parts: dict[str, Rows] = {}
    for stored, tensor in file.tensors.items():
        if not stored.endswith(DERIVED):
            parts |= unpack(stored, tensor.shape, PACKED.get(name, {}))
    shapes = {part: rows.shape for part, rows in parts.items()}

    def read(part: str) -> Tensor:
        rows = parts[part]
        return read_rows(file, file.tensors[rows.stored], rows.start, rows.shape, dtype)

    return load_tensors(TABLES[name], config, shapes, read, str(file.path), dtype)


def _bias(file: GGUF) -> bool | str:
    """Which linear layers have a bias: all, queries, keys and values, or none."""
    first = {name.removeprefix("blk.0.") for name in file.tensors if name.startswith("blk.0.")}
    if "attn_output.bias" in first:
        return True
    return "qkv" if {"attn_q.bias", "attn_qkv.bias"} & first else False


def _layers(values: Mapping[str, Any]) -> dict[str, Any]:
    """The number of key/value heads, and the kinds of layers: a convolution where a layer's number is 0."""
    heads = values.get("attention.head_count_kv")
    if not isinstance(heads, list) or 0 not in heads:
        return {"n_kv_head": heads, "conv_kernel": 0}
    kinds = ["attention" if count else "conv" for count in heads]
    counts = {count for count in heads if count}
    return {
        "n_kv_head": counts.pop() if len(counts) == 1 else heads,
        "layers": kinds,
        "conv_kernel": values.get("shortconv.l_cache", 0),
    }


def open_file(path: Path) -> GGUF | None:
    """The GGUF file that a path names, read but for its tensors; None without one."""
    file = find(path)
    return None if file is None else read_gguf(file)
