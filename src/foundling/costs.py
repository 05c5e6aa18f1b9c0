"""Formulas for the costs of training a GPT: parameters, FLOPs, time, energy and price.

Does not import torch, so that a plan takes no time; tests/test_costs.py compares each count with the real
model.
"""

import dataclasses

from foundling.model.config import GPTConfig
from foundling.settings.runtime import Hardware, NumberFormat

CHINCHILLA = 20  # compute-optimal tokens per parameter (Hoffmann et al. 2022)
FORWARD = 1 / 3  # the forward pass's share of a training step's FLOPs
GIB = 2.0**30
HOUR = 3600.0
YEAR = 365 * 24 * HOUR
# Lightning's precisions: bytes per weight, bytes per element in matrix products, and the format whose peak
# applies
PRECISIONS: dict[str, tuple[int, int, NumberFormat]] = {
    "64-true": (8, 8, "fp64"),
    "32-true": (4, 4, "fp32"),
    "bf16-mixed": (4, 2, "bf16"),
    "16-mixed": (4, 2, "fp16"),
    "bf16-true": (2, 2, "bf16"),
    "16-true": (2, 2, "fp16"),
}


def speed(hardware: Hardware, precision: str) -> float:
    """Training FLOP/s of all devices."""
    kind = PRECISIONS[precision][2]
    peaks = dict(hardware.peak or {})
    if kind not in peaks:
        known = ", ".join(peaks) or "none"
        raise ValueError(
            f"hardware {hardware.name} has no peak for {kind} (known: {known}); set hardware.peak.{kind}"
        )
    return hardware.devices * peaks[kind] * hardware.utilization


@dataclasses.dataclass(frozen=True)
class Bill:
    """The time, energy and price of a training on all devices; None if unknown."""

    seconds: float
    kilowatt_hours: float | None
    dollars: float | None


@dataclasses.dataclass(frozen=True)
class Work:
    """The amount of computation in a training."""

    tokens: float
    steps: int
    windows: int  # per microbatch and device
    weights: float  # FLOPs per token, 6 per weight
    attention: float  # FLOPs per token of the attention scores; 0 if they are not counted
    recomputed: float  # FLOPs per token of activation checkpointing
    corpus: int | None  # tokens of training data; None if unknown
    validated: float  # tokens in all validations

    @property
    def training(self) -> float:
        """FLOPs of all training steps."""
        return self.tokens * (self.weights + self.attention + self.recomputed)

    @property
    def all(self) -> float:
        """FLOPs of all training steps and validations."""
        return self.training + FORWARD * self.validated * (self.weights + self.attention)


def precision_of(setting: str | int, automatic: str) -> str:
    """The name in PRECISIONS of a value of pretrain.precision; "auto" is the hardware's own precision."""
    short = {"64": "64-true", "32": "32-true", "16": "16-mixed", "bf16": "bf16-mixed"}
    name = automatic if setting == "auto" else short.get(str(setting), str(setting))
    if name not in PRECISIONS:
        raise ValueError(
            f"precision={name}: costs are known only for {', '.join(PRECISIONS)}; choose one of these"
        )
    return name


def first_layers(config: GPTConfig, count: int) -> GPTConfig:
    """The model of the first `count` layers alone."""
    layers = None if config.layers is None else config.layers[:count]
    kernel = config.conv_kernel if "conv" in (layers or ()) else 0
    return dataclasses.replace(config, n_layer=count, layers=layers, conv_kernel=kernel)


def parameters(config: GPTConfig) -> dict[str, int]:
    """Parameters by part; a tied output head counts once, with the embedding."""
    width, layers = config.n_embd, config.n_layer
    heads = (config.n_head + 2 * config.n_kv_head) * config.head_dim
    attention = width * heads + config.n_head * config.head_dim * width
    matrices = 3 if config.mlp == "swiglu" else 2
    feed_forward = matrices * width * config.n_ffn
    norms = (2 * layers + 1) * width
    if config.bias:
        attention += heads
    if config.bias is True:
        attention += width
        feed_forward += (matrices - 1) * config.n_ffn + width
        norms *= 2 if config.norm == "layernorm" else 1
    if config.qk_norm:
        heads = config.n_head + config.n_kv_head if config.qk_norm == "all" else 2
        norms += config.n_attention * heads * config.head_dim
    return {
        "token embedding": config.vocab_size * width,
        "positions": config.context * width if config.position == "learned" else 0,
        "attention": config.n_attention * attention,
        "gated convolutions": (layers - config.n_attention) * (4 * width + config.conv_kernel) * width,
        "feed-forward": layers * feed_forward,
        "norms": norms,
        "short convolutions": layers
        * config.convolution
        * (width + 2 * config.lookup_heads * config.head_dim),
        "output head": 0 if config.tied else config.vocab_size * width,
    }


def flops_per_token(config: GPTConfig) -> tuple[float, float]:
    """Training FLOPs per token, of the weights and of the attention scores.

    6 per weight that is multiplied (Kaplan et al. 2020), and 12 · layers · heads · head size · context for
    the scores (Chowdhery et al. 2022, app. B).
    """
    parts = parameters(config)
    embedded = parts["positions"] + (0 if config.tied else parts["token embedding"])
    attention = 12 * config.n_attention * config.n_head * config.head_dim * config.context
    return 6.0 * (sum(parts.values()) - embedded), float(attention)


def recomputed_per_token(config: GPTConfig, flops: float, every: int) -> float:
    """FLOPs per token that checkpointing every n-th layer adds to a step of `flops` per token."""
    if not every:
        return 0.0
    in_layers = flops - 6 * config.vocab_size * config.n_embd
    return FORWARD * in_layers * (config.n_layer // every) / config.n_layer


def bill(flops: float, hardware: Hardware, precision: str) -> Bill:
    """Time, energy and price of a number of FLOPs."""
    seconds = flops / speed(hardware, precision)
    hours = seconds / HOUR * hardware.devices
    return Bill(
        seconds,
        None if hardware.power is None else hours * hardware.power / 1000,
        None if hardware.price is None else hours * hardware.price,
    )
