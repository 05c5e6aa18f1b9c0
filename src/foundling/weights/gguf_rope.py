"""Rotary positions of a stretched context in GGUF, both ways.

Linear scaling and YaRN are metadata; Llama 3's scaling and LongRoPE are tensors, which hold what the
frequencies are divided by.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from foundling.model.config import GPTConfig
from foundling.model.rotary import attention_factor, frequencies, scaled_frequencies
from foundling.settings.rope import LinearScaling, Llama3Scaling, LongropeScaling, YarnScaling
from foundling.weights.gguf_file import GGUF
from foundling.weights.gguf_tensors import read_rows

if TYPE_CHECKING:
    from gguf import GGUFWriter

FACTORS = "rope_freqs.weight"
LONGROPE_FACTORS = ("rope_factors_short.weight", "rope_factors_long.weight")


def read_scaling(file: GGUF, values: Mapping[str, Any]) -> dict[str, Any] | None:
    """model.rope_scaling as plain values, but for `with_factors`; None without one."""
    if not all(name in file.tensors for name in LONGROPE_FACTORS):
        return _from_metadata(file, values)
    short, long = (_read_factors(file, name) for name in LONGROPE_FACTORS)
    return {
        "kind": "longrope",
        "original_context": values.get("rope.scaling.original_context_length", values["context_length"]),
        "short_factors": short.tolist(),
        "long_factors": long.tolist(),
        "attention_factor": float(values.get("rope.scaling.attn_factor", 1.0)),
    }


def read_rotary_dim(name: str, values: Mapping[str, Any]) -> int:
    """How many channels of a head are rotated, where only some are; 0: all."""
    size = values.get("attention.key_length")
    head_dim = size or values["embedding_length"] // values["attention.head_count"]
    rotated: int = values.get("rope.dimension_count", head_dim)
    return rotated if name == "phi3" and rotated != head_dim else 0


def with_factors(file: GGUF, config: GPTConfig) -> GPTConfig:
    """The config with the scaling that the file's tensor of frequency factors holds, if it has one.

    Meta's models differ in the largest factor alone. Any other factors are LongRoPE's, equal for short and
    long texts.
    """
    if FACTORS not in file.tensors or config.position != "rotary":
        return config
    tensor, rotated = file.tensors[FACTORS], config.rotary_dim or config.head_dim
    if tensor.shape != (rotated // 2,):
        raise ValueError(f"{FACTORS} has shape {tensor.shape}; must be ({rotated // 2},)")
    factors = _read_factors(file, FACTORS)
    if not bool((factors > 0).all()):
        raise ValueError(f"{FACTORS} has numbers that are not positive")
    if bool((factors == 1).all()):
        return config
    if bool(factors.max() >= 1):
        llama3 = Llama3Scaling(
            kind="llama3",
            factor=round(float(factors.max()), 4),
            original_context=8192,
            low_freq_factor=1.0,
            high_freq_factor=4.0,
        )
        if torch.allclose(factors, _factors(config, llama3), rtol=1e-3):
            return replace(config, rope_scaling=llama3)
    values = tuple(factors.tolist())
    scaling = LongropeScaling(
        kind="longrope",
        original_context=config.context,
        short_factors=values,
        long_factors=values,
        attention_factor=1.0,
    )
    return replace(config, rope_scaling=scaling)


def unsupported_scaling(architecture: str, config: GPTConfig) -> str | None:
    """Why llama.cpp cannot run a model of this architecture with its rope_scaling; None if it can."""
    scaling = config.rope_scaling
    if isinstance(scaling, Llama3Scaling) and architecture != "llama":
        return f"model.rope_scaling=llama3 ({architecture} has none or linear or yarn)"
    if isinstance(scaling, LongropeScaling):
        return "model.rope_scaling=longrope (must be null, linear, yarn or, in llama, llama3)"
    if isinstance(scaling, YarnScaling) and (scaling.beta_fast, scaling.beta_slow) != (32, 1):
        return (
            f"model.rope_scaling.beta_fast={scaling.beta_fast}, beta_slow={scaling.beta_slow} (must be 32, 1)"
        )
    if isinstance(scaling, YarnScaling) and not scaling.truncate:
        return "model.rope_scaling.truncate=False (must be True)"
    return None


def write_scaling(writer: "GGUFWriter", config: GPTConfig) -> None:
    """Write the metadata and, for Llama 3's scaling, the tensor."""
    import gguf

    scaling = config.rope_scaling
    if isinstance(scaling, LinearScaling | YarnScaling):
        writer.add_rope_scaling_type(gguf.RopeScalingType(scaling.kind))
        writer.add_rope_scaling_factor(scaling.factor)
    if isinstance(scaling, YarnScaling):
        writer.add_rope_scaling_orig_ctx_len(scaling.original_context)
        own = 0.1 * float(np.log(scaling.factor)) + 1  # by which llama.cpp multiplies the one in the file
        writer.add_rope_scaling_attn_factors(attention_factor(scaling) / own)
    if isinstance(scaling, Llama3Scaling):
        writer.add_tensor(FACTORS, _factors(config, scaling).float().numpy())


def _factors(config: GPTConfig, scaling: Llama3Scaling) -> Tensor:
    """What the frequencies (D/2,) are divided by."""
    width = config.rotary_dim or config.head_dim
    return frequencies(width, config.rope_theta) / scaled_frequencies(width, config.rope_theta, scaling)


def _read_factors(file: GGUF, name: str) -> Tensor:
    tensor = file.tensors[name]
    return read_rows(file, tensor, 0, tensor.shape).double().flatten()


def _from_metadata(file: GGUF, values: Mapping[str, Any]) -> dict[str, Any] | None:
    """Linear scaling or YaRN, which are values of the metadata."""
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
    return None if extra == 1 else round(extra * (0.1 * float(np.log(factor)) + 1), 6)  # it is in float32
