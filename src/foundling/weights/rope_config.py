"""Rotary positions in a config.json of transformers: their base, and how they were stretched to a longer
context.

transformers 4 writes rope_theta and rope_scaling, transformers 5 rope_parameters, which hold both.
"""

import math
from collections.abc import Mapping
from typing import Any

from foundling.model.config import GPTConfig
from foundling.settings.rope import LinearScaling, Llama3Scaling, LongropeScaling

THETA = 10_000.0
LONGROPE = ("longrope", "su")  # the second is its first name
ORIGINAL = "original_max_position_embeddings"


class RopeReader:
    """The base `theta`, rope_scaling as plain values, and the `reasons` why that is not supported."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        """Read the fields of a config.json."""
        rope = values.get("rope_parameters") or values.get("rope_scaling") or {}
        self.theta = rope.get("rope_theta") or values.get("rope_theta") or THETA
        self.kind = rope.get("rope_type") or rope.get("type") or "default"
        self.scaling: dict[str, Any] | None = None
        self.reasons: list[str] = []
        # the share of a head's channels that is rotated
        self.share = rope.get("partial_rotary_factor", values.get("partial_rotary_factor")) or 1.0
        if any(isinstance(value, Mapping) for value in rope.values()):
            self.reasons.append(f"rope_parameters={str(rope)[:80]} (must be the same in all layers)")
        elif self.kind in ("linear", "llama3", "yarn"):
            self._read_scaling(rope, values)
        elif self.kind in LONGROPE:
            self._read_longrope(rope, values)
        elif self.kind not in ("default", "dynamic"):  # dynamic changes nothing within the context
            self.reasons.append(
                f"rope_type={self.kind!r} (must be default, linear, dynamic, llama3, yarn or longrope)"
            )

    def _read_scaling(self, rope: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        original = rope.get(ORIGINAL) or values.get(ORIGINAL) or values.get("max_position_embeddings")
        self.scaling = {"kind": self.kind, "factor": rope["factor"]}
        if self.kind == "linear":
            return
        self.scaling["original_context"] = original
        names: tuple[str, ...] = ("low_freq_factor", "high_freq_factor")
        if self.kind == "yarn":
            names = ("beta_fast", "beta_slow", "attention_factor", "truncate")
            if rope.get("mscale") or rope.get("mscale_all_dim"):
                self.reasons.append("mscale (must not be set: only attention_factor is supported)")
        self.scaling |= {name: rope[name] for name in names if rope.get(name) is not None}

    def _read_longrope(self, rope: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        """As transformers, which takes the share of the two contexts for the factor if they differ."""
        context = values["max_position_embeddings"]
        original = rope.get(ORIGINAL) or values.get(ORIGINAL) or context
        factor = context / original if values.get(ORIGINAL) else rope.get("factor", context / original)
        sharpness = rope.get("attention_factor")
        if sharpness is None:
            sharpness = math.sqrt(1 + math.log(factor) / math.log(original)) if factor > 1 else 1.0
        self.scaling = {
            "kind": "longrope",
            "original_context": original,
            "short_factors": rope["short_factor"],
            "long_factors": rope["long_factor"],
            "attention_factor": float(sharpness),
        }


def write_rope(config: GPTConfig) -> dict[str, Any]:
    """The fields of config.json for both versions of transformers."""
    scaling = config.rope_scaling
    if scaling is None:
        return {
            "rope_theta": config.rope_theta,
            "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        }
    if isinstance(scaling, LongropeScaling):
        return _write_longrope(config, scaling)
    rope: dict[str, Any] = {"rope_type": scaling.kind, "factor": scaling.factor}
    if not isinstance(scaling, LinearScaling):
        rope[ORIGINAL] = scaling.original_context
    if isinstance(scaling, Llama3Scaling):
        rope |= {"low_freq_factor": scaling.low_freq_factor, "high_freq_factor": scaling.high_freq_factor}
    elif not isinstance(scaling, LinearScaling):
        rope |= {"beta_fast": scaling.beta_fast, "beta_slow": scaling.beta_slow, "truncate": scaling.truncate}
        if scaling.attention_factor is not None:
            rope["attention_factor"] = scaling.attention_factor
    return {
        "rope_theta": config.rope_theta,
        "rope_scaling": rope,
        "rope_parameters": {**rope, "rope_theta": config.rope_theta},
    }


def _write_longrope(config: GPTConfig, scaling: LongropeScaling) -> dict[str, Any]:
    rope = {
        "rope_type": scaling.kind,
        "factor": config.context / scaling.original_context,
        "short_factor": list(scaling.short_factors),
        "long_factor": list(scaling.long_factors),
        "attention_factor": scaling.attention_factor,
        ORIGINAL: scaling.original_context,
    }
    return {
        "rope_theta": config.rope_theta,
        ORIGINAL: scaling.original_context,
        "rope_scaling": rope,
        "rope_parameters": {**rope, "rope_theta": config.rope_theta},
    }
