"""Which of our models exist outside of Foundling, and under which name: GPT-2, Llama, Qwen3.

Each architecture is the set of GPTConfig's fields that it fixes; the others (widths, layers, context …) are free.
"""

from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from foundling.model.gpt import GPT, GPTConfig, meta_gpt


@dataclass(frozen=True)
class Architecture:
    """A family of models that other programs know."""

    name: str  # in Hugging Face's config.json and in GGUF
    fixed: dict[str, Any]  # GPTConfig's fields with the only value that the family has


MODERN = {"position": "rotary", "norm": "rmsnorm", "mlp": "swiglu", "convolution": 0, "induction_heads": 0}
CLASSIC = {"position": "learned", "norm": "layernorm", "mlp": "gelu", "convolution": 0, "induction_heads": 0}
GPT2 = Architecture("gpt2", {**CLASSIC, "bias": True, "qk_norm": False})
LLAMA = Architecture("llama", {**MODERN, "qk_norm": False})
QWEN3 = Architecture("qwen3", {**MODERN, "qk_norm": True, "bias": False})
ARCHITECTURES = {one.name: one for one in (GPT2, LLAMA, QWEN3)}
# what a checkpoint does not fix: how the model is computed and trained on
OWN = ("dropout", "init", "attention")


def portable(model: GPT) -> tuple[Architecture, GPTConfig, dict[str, Tensor]]:
    """The model in the terms of the architecture that it is: its config there and its tensors, named as ours.

    GPT-2 has biases and learned positions: missing biases become zeros and sinusoids a table: the same function.
    ValueError names the fields that no architecture has.
    """
    config, state = model.config, {name: t.detach() for name, t in model.state_dict().items()}
    if config.norm == "layernorm" and config.position != "rotary":
        config = replace(config, bias=True, position="learned")
        if model.config.position == "sinusoidal":
            state["position_embedding.weight"] = model.sinusoids
    faults = {one.name: _faults(one, config) for one in ARCHITECTURES.values()}
    nearest = min(faults, key=lambda name: len(faults[name]))
    if faults[nearest]:
        raise ValueError(
            f"this model has no counterpart outside of Foundling: {'; '.join(faults[nearest])}; allowed are models "
            "that are GPT-2, Llama or Qwen3; train one with model=llama, model=qwen3 or model=gpt2_124m and export that"
        )
    wanted = meta_gpt(config).state_dict()
    return ARCHITECTURES[nearest], config, {n: state.get(n, torch.zeros(t.shape)) for n, t in wanted.items()}


def differences(asked: dict[str, Any], found: GPTConfig) -> list[str]:
    """How the composed `model` section differs from a checkpoint's shape, in what a checkpoint fixes.

    Rotary positions need no table, so a model of them may be asked for a shorter context than its checkpoint's.
    """
    wanted = GPTConfig(vocab_size=found.vocab_size, **asked)
    names = [f.name for f in fields(GPTConfig) if f.name not in OWN]
    if found.position == "rotary":
        names = [name for name in names if name != "context" or wanted.context > found.context]
    else:
        names.remove("rope_theta")
    return [
        f"model.{name}={getattr(wanted, name)} ({getattr(found, name)} there)"
        for name in names
        if getattr(wanted, name) != getattr(found, name)
    ]


def _faults(architecture: Architecture, config: GPTConfig) -> list[str]:
    faults = [
        f"model.{field}={getattr(config, field)!r} ({architecture.name} has {value!r})"
        for field, value in architecture.fixed.items()
        if getattr(config, field) != value
    ]
    assert config.head_dim
    if architecture is GPT2 and config.n_kv_head != config.n_head:
        faults.append(f"model.n_kv_head={config.n_kv_head} (gpt2 has as many as n_head={config.n_head})")
    if architecture is GPT2 and config.head_dim * config.n_head != config.n_embd:
        faults.append(f"model.head_dim={config.head_dim} (gpt2 has n_embd/n_head={config.n_embd / config.n_head:g})")
    return faults
