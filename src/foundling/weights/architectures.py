"""Which of our models other programs can run: as GPT-2, Llama, Qwen2, Qwen3 or LFM2, or with code of ours.

An architecture is defined by the fields of GPTConfig that it fixes; the others (widths, layers, context …)
are free.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from foundling.model.config import GPTConfig
from foundling.model.gpt import GPT
from foundling.model.interface import LanguageModel
from foundling.model.meta import meta_model


@dataclass(frozen=True)
class Architecture:
    """A family of models that other programs support."""

    name: str  # in Hugging Face's config.json and in GGUF
    fixed: dict[str, Any]  # the fields of GPTConfig with the only value that the family has


OURS_ALONE = {"convolution": 0, "lookup_heads": 0}
NO_WINDOW = {"window": 0, "window_blocks": None}
ATTENTION_ALONE = {"layers": None, "conv_kernel": 0}
PRE_NORM = {"norm_place": "input", "rotary_dim": 0, **OURS_ALONE}
HYBRID = {"position": "rotary", "norm": "rmsnorm", "mlp": "swiglu", "rope_skip": 0, **PRE_NORM}
WINDOWED = {**HYBRID, **ATTENTION_ALONE}
MODERN = {**WINDOWED, **NO_WINDOW}
CLASSIC = {
    **{"position": "learned", "norm": "layernorm", "mlp": "gelu"},
    **{**NO_WINDOW, **PRE_NORM, **ATTENTION_ALONE},
}
GPT2 = Architecture("gpt2", {**CLASSIC, "bias": True, "qk_norm": False})
LLAMA = Architecture("llama", {**MODERN, "qk_norm": False})
MISTRAL = Architecture("mistral", {**WINDOWED, "qk_norm": False, "bias": False, "window_blocks": None})
QWEN3 = Architecture("qwen3", {**WINDOWED, "qk_norm": True, "bias": False})
QWEN2 = Architecture("qwen2", {**WINDOWED, "qk_norm": False, "bias": "qkv"})
_SKIPPING = {field: value for field, value in MODERN.items() if field != "rope_skip"}
SMOLLM3 = Architecture("smollm3", {**_SKIPPING, "qk_norm": False, "bias": False})
OLMO2 = Architecture("olmo2", {**MODERN, "norm_place": "output", "qk_norm": "all", "bias": False})
LFM2 = Architecture("lfm2", {**HYBRID, **NO_WINDOW, "qk_norm": True, "bias": False})
ARCHITECTURES = {one.name: one for one in (GPT2, LLAMA, QWEN3, QWEN2, SMOLLM3, MISTRAL, OLMO2, LFM2)}
# every GPT, for transformers: exported with the files that compute it, weights/remote_code/
FOUNDLING = Architecture("foundling", {})
# not fixed by a checkpoint: how the model is computed and trained; with the values if none are chosen
FREE = {"dropout": 0.0, "init": "gpt2", "attention": "fused"}

Exported = tuple[Architecture, GPTConfig, dict[str, Tensor]]  # the config there, and tensors under our names


def known(
    model: LanguageModel, unsupported_scaling: Callable[[str, GPTConfig], str | None] = lambda *_: None
) -> Exported:
    """The model as one of the ARCHITECTURES, for GGUF.

    ValueError names the fields that none of them supports, among them what `unsupported_scaling` says of the
    architecture's name and config.
    """
    gpt = _require_gpt(model)
    architecture, config, unsupported = _nearest(gpt.config)
    if reason := unsupported_scaling(architecture.name, config):
        unsupported.append(reason)
    if architecture is SMOLLM3:
        unsupported.append(f"model.rope_skip={config.rope_skip} (must be 0)")
    if config.window:
        unsupported.append(f"model.window={config.window} (must be 0)")
    if unsupported:
        raise ValueError(
            f"llama.cpp cannot run this model: {'; '.join(unsupported)}; choose format=huggingface, which "
            "holds every GPT, or train with model=llama, model=qwen3, model=lfm2 or model=gpt2_124m"
        )
    return architecture, config, _tensors(gpt, config)


def known_or_with_code(model: LanguageModel) -> Exported:
    """The model as one of the ARCHITECTURES if one supports it, else as FOUNDLING."""
    gpt = _require_gpt(model)
    architecture, config, unsupported = _nearest(gpt.config)
    return with_code(gpt) if unsupported else (architecture, config, _tensors(gpt, config))


def with_code(model: LanguageModel) -> Exported:
    """The model as FOUNDLING."""
    gpt = _require_gpt(model)
    return FOUNDLING, gpt.config, _tensors(gpt, gpt.config)


def differences(config: GPTConfig, checkpoint: GPTConfig) -> list[str]:
    """The fields in which the composed `model` section differs from a checkpoint, of those that a checkpoint
    fixes.

    Rotary positions have no weights, so the composed context may be shorter than the checkpoint's.
    """
    ignored = {*FREE, "vocab_size"}
    if checkpoint.position != "rotary":
        ignored.add("rope_theta")
    elif config.context <= checkpoint.context:
        ignored.add("context")
    differing = []
    for name in (field.name for field in fields(GPTConfig) if field.name not in ignored):
        composed, stored = getattr(config, name), getattr(checkpoint, name)
        if composed != stored:
            differing.append(f"model.{name}={composed} (checkpoint: {stored})")
    return differing


def _require_gpt(model: LanguageModel) -> GPT:
    if isinstance(model, GPT):
        return model
    raise ValueError(
        f"other programs cannot run model {model.architecture}, an architecture of your own; its weights are "
        "in its model.safetensors: write a modelling file for transformers (docs/weights.md), or train with "
        "model=llama"
    )


def _nearest(config: GPTConfig) -> tuple[Architecture, GPTConfig, list[str]]:
    """The architecture with the fewest fields that it does not support, the config there, and these fields.

    GPT-2 has biases and learned positions: absent biases become zeros, and sinusoids a table, which computes
    the same function.
    """
    if config.norm == "layernorm" and config.position != "rotary":
        config = replace(config, bias=True, position="learned")
    unsupported = {name: _unsupported(one, config) for name, one in ARCHITECTURES.items()}
    nearest = min(unsupported, key=lambda name: len(unsupported[name]))
    return ARCHITECTURES[nearest], config, unsupported[nearest]


def _tensors(model: GPT, config: GPTConfig) -> dict[str, Tensor]:
    """The tensors of a model of this config that computes what `model` does."""
    state = {name: tensor.detach() for name, tensor in model.state_dict().items()}
    if model.config.position == "sinusoidal" and config.position == "learned":
        state["position_embedding.weight"] = model.sinusoids
    shapes = {name: tensor.shape for name, tensor in meta_model(GPT, config).state_dict().items()}
    return {name: state[name] if name in state else torch.zeros(shape) for name, shape in shapes.items()}


def _unsupported(architecture: Architecture, config: GPTConfig) -> list[str]:
    name, reasons = architecture.name, []
    for field, value in architecture.fixed.items():
        if getattr(config, field) != value:
            reasons.append(f"model.{field}={getattr(config, field)!r} ({name} has {value!r})")
    if architecture is LLAMA and config.bias == "qkv":
        reasons.append("model.bias='qkv' (llama has true or false)")
    if architecture is GPT2 and config.n_kv_head != config.n_head:
        reasons.append(f"model.n_kv_head={config.n_kv_head} (gpt2 has n_head={config.n_head})")
    if architecture is GPT2 and config.head_dim * config.n_head != config.n_embd:
        reasons.append(
            f"model.head_dim={config.head_dim} (gpt2 has n_embd/n_head={config.n_embd / config.n_head:g})"
        )
    return reasons
