"""GGUF files as our GPT: the shape from their metadata, and their tensors, dequantized.

The names of tensors are those of the export's tables (gguf.py).
"""

import logging
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from foundling.model.config import GPTConfig
from foundling.model.gpt import GPT
from foundling.model.rotary import frequencies, scaled_frequencies
from foundling.settings.models import Llama3Scaling
from foundling.validation import build
from foundling.weights.architectures import FREE, GPT2, LFM2, MODERN
from foundling.weights.gguf import TABLES
from foundling.weights.gguf_file import GGUF, StoredTensor, find, library, read_gguf
from foundling.weights.names import Rows, load_tensors, unpack

log = logging.getLogger(__name__)
CHUNK = 1 << 20  # elements that are dequantized at once
LLAMA3_FACTORS = "rope_freqs.weight"
DERIVED = (LLAMA3_FACTORS, ".attn_rot_embd")
PACKED = {"phi3": {".ffn_up.weight": (".ffn_gate.weight", ".ffn_up.weight")}}
FIXED: dict[str, Mapping[str, Any]] = {
    "gpt2": GPT2.fixed,
    **dict.fromkeys(("llama", "qwen2", "smollm3", "phi3"), MODERN | {"qk_norm": False}),
    "qwen3": MODERN | {"qk_norm": True},
    "lfm2": LFM2.fixed,
}
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
    shape = {field.name: None for field in fields(GPTConfig)} | dict(FIXED[name])
    shape |= {ours: values[key] for ours, key in FIELDS.items()}
    shape |= {
        "head_dim": values.get("attention.key_length"),
        "norm_eps": values.get(
            "attention.layer_norm_rms_epsilon", values.get("attention.layer_norm_epsilon", 1e-5)
        ),
        "rope_theta": values.get("rope.freq_base", 10_000.0),
        "rope_scaling": _scaling(file, values),
        "rope_skip": NO_ROPE_INTERVAL.get(str(name), 0),
        "vocab_size": file.tensors["token_embd.weight"].shape[0]
        if "token_embd.weight" in file.tensors
        else None,
        "tied": "output.weight" not in file.tensors,
        "bias": _bias(file),
        **_layers(values),
    }
    if isinstance(window := values.get("attention.sliding_window"), int) and 0 < window < shape["context"]:
        log.info(
            f"{file.path}: the context is {window:,} of {shape['context']:,} tokens, the attention's window"
        )
        shape["context"] = window
    try:
        config = build(GPTConfig, {**shape, **FREE, **free}, "model")
        config = _with_llama3_scaling(file, config)
    except ValueError as error:
        raise ValueError(f"{file.path}: {error}") from None
    for key in ("attention.value_length", "rope.dimension_count"):
        if config.position == "rotary" and values.get(key, config.head_dim) != config.head_dim:
            raise ValueError(
                f"{file.path}: {prefix}{key}={values[key]}: must be the head size, {config.head_dim}"
            )
    return str(name), config


def load_model(file: GGUF, name: str, config: GPTConfig, dtype: torch.dtype = torch.float32) -> GPT:
    """Load the file's tensors, one after the other, as a model of architecture `name`."""
    _require_dequantizable(file)
    parts: dict[str, Rows] = {}
    for stored, tensor in file.tensors.items():
        if not stored.endswith(DERIVED):
            parts |= unpack(stored, tensor.shape, PACKED.get(name, {}))
    shapes = {part: rows.shape for part, rows in parts.items()}

    def read(part: str) -> Tensor:
        rows = parts[part]
        return _read_rows(file, file.tensors[rows.stored], rows.start, rows.shape, dtype)

    return load_tensors(TABLES[name], config, shapes, read, str(file.path), dtype)


def _read_rows(
    file: GGUF,
    tensor: StoredTensor,
    start: int,
    shape: tuple[int, ...],
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """A tensor of this shape and type from a stored one's rows, which are dequantized a few at a time."""
    gguf = library()
    width, count = shape[-1], int(np.prod(shape[:-1]))
    kind = gguf.GGMLQuantizationType[tensor.kind]
    row_bytes = tensor.size // (int(np.prod(tensor.shape)) // width)
    result = torch.empty(count, width, dtype=dtype)
    step = max(1, CHUNK // width)
    for first in range(0, count, step):
        rows = min(step, count - first)
        offset = tensor.offset + (start + first) * row_bytes
        data = np.fromfile(file.path, np.uint8, rows * row_bytes, offset=offset).reshape(rows, row_bytes)
        with np.errstate(all="ignore"):
            result[first : first + rows] = torch.from_numpy(gguf.quants.dequantize(data, kind))
    return result.view(shape)


def _require_dequantizable(file: GGUF) -> None:
    """Raise ValueError for a tensor of a type that the package gguf cannot dequantize, as integers."""
    gguf = library()
    for name, tensor in file.tensors.items():
        kind = gguf.GGMLQuantizationType[tensor.kind]
        try:
            gguf.quants.dequantize(np.zeros((1, gguf.GGML_QUANT_SIZES[kind][1]), np.uint8), kind)
        except NotImplementedError:
            raise ValueError(
                f"{file.path}: {name} is of type {tensor.kind}, which the package gguf cannot dequantize; "
                "use a file of another type, as F16 or Q8_0"
            ) from None


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


def _scaling(file: GGUF, values: Mapping[str, Any]) -> dict[str, Any] | None:
    """The metadata's stretched rotary positions as our setting; Llama 3's are a tensor."""
    kind = values.get("rope.scaling.type", "linear" if "rope.scale_linear" in values else "none")
    factor = values.get("rope.scaling.factor", values.get("rope.scale_linear", 1.0))
    if kind == "none" or factor in (0, 1):
        return None
    if kind == "linear":
        return {"kind": kind, "factor": factor}
    if kind == "yarn":
        original = values.get("rope.scaling.original_context_length", values["context_length"])
        return {
            "kind": kind,
            "factor": factor,
            "original_context": original,
            "attention_factor": _yarn_factor(values, factor),
        }
    raise ValueError(f"{file.path}: rope.scaling.type={kind!r}: must be none, linear or yarn")


def _yarn_factor(values: Mapping[str, Any], factor: float) -> float | None:
    """llama.cpp multiplies YaRN's own attention factor by this one."""
    extra = values.get("rope.scaling.attn_factor", 1.0)
    return None if extra == 1 else extra * (0.1 * float(np.log(factor)) + 1)


def _with_llama3_scaling(file: GGUF, config: GPTConfig) -> GPTConfig:
    """The config with the scaling that the file's tensor of frequency factors holds, if it has one.

    The tensor has what the frequencies are divided by; Meta's models differ in the largest factor alone.
    """
    if LLAMA3_FACTORS not in file.tensors or config.position != "rotary":
        return config
    tensor = file.tensors[LLAMA3_FACTORS]
    if tensor.shape != (config.head_dim // 2,):
        raise ValueError(f"{LLAMA3_FACTORS} has shape {tensor.shape}; must be ({config.head_dim // 2},)")
    factors = _read_rows(file, tensor, 0, tensor.shape).double()
    if bool((factors == 1).all()):
        return config
    largest = round(float(factors.max()), 4)
    scaling = Llama3Scaling(
        kind="llama3", factor=largest, original_context=8192, low_freq_factor=1.0, high_freq_factor=4.0
    )
    original = frequencies(config.head_dim, config.rope_theta)
    expected = original / scaled_frequencies(config.head_dim, config.rope_theta, scaling)
    if not torch.allclose(factors, expected, rtol=1e-3):
        raise ValueError(f"{LLAMA3_FACTORS} is not what Llama 3 has (low 1, high 4, original context 8,192)")
    return replace(config, rope_scaling=scaling)


def open_file(path: Path) -> GGUF | None:
    """The GGUF file that a path names, read but for its tensors; None without one."""
    file = find(path)
    return None if file is None else read_gguf(file)
