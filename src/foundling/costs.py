"""Formulas for the costs of training a GPT: parameters, FLOPs, memory by part, time, energy and price.

Does not import torch, so that a plan takes no time; tests/test_costs.py compares each count with the real
model.
"""

import dataclasses
from pathlib import Path

from foundling.model.config import GPTConfig, Mlp
from foundling.model.logits import loss_bytes
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

# gradients as wide as the hidden layer that a feed-forward network's backward pass holds at once
FEED_FORWARD_GRADIENTS: dict[Mlp, int] = {"gelu": 1, "relu": 1, "relu2": 2, "swiglu": 2}


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


def free_memory() -> float:
    """Bytes of free memory on this machine, within its container's limit."""
    import psutil

    free = float(psutil.virtual_memory().available)
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    if limit.is_file() and used.is_file() and limit.read_text().strip().isdigit():
        free = min(free, float(limit.read_text()) - float(used.read_text()))
    return free


def require_memory(count: float, model: str = "this model", size: int = 4) -> None:
    """Raise ValueError if a model's `count` weights of `size` bytes do not fit into the free memory."""
    needed, free = size * count, free_memory()
    if needed > free:
        raise ValueError(
            f"{model} has {count:,.0f} weights, which need {needed / 2**30:,.0f} GiB of memory, but only "
            f"{free / 2**30:,.1f} GiB are free; choose a smaller one, such as model=small, or a larger "
            "machine"
        )


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


def state_bytes(config: GPTConfig, optimizer: str, precision: str) -> dict[str, float]:
    """Bytes of weights, gradients and optimizer state.

    AdamW stores two numbers per weight, Muon one per weight of the matrices. Mixed precision also stores
    copies of the matrices in the narrower format.
    """
    parts = parameters(config)
    total = sum(parts.values())
    size, narrow, _ = PRECISIONS[precision]
    matrices = parts["attention"] + parts["feed-forward"] - config.n_layer * _biases(config)
    matrices += (config.n_layer - config.n_attention) * 4 * config.n_embd**2
    copies = narrow * (matrices + config.vocab_size * config.n_embd) if narrow < size else 0
    states = 2 * total - (matrices if optimizer == "muon" else 0)
    return {"weights": size * total + copies, "gradients": size * total, "optimizer": size * states}


def activation_bytes(
    config: GPTConfig, tokens: int, precision: str, every: int = 0, whole_logits: bool = False
) -> float:
    """Bytes of the activations at the peak of a step over `tokens` tokens, without dropout masks.

    `every` is runtime.activation_checkpointing: of every n-th layer only the input is kept, and the rest is
    recomputed in the backward pass, one layer at a time (Chen et al. 2016); 0 keeps all. With `whole_logits`
    many logits are not computed in chunks. In mixed precision, the residual stream, norms and loss are in
    float32.
    """
    wide, narrow, _ = PRECISIONS[precision]
    width = config.n_embd
    normed = (2 if config.norm == "rmsnorm" else 1) * width  # RMSNorm also keeps x / rms(x)
    query, key = config.n_head * config.head_dim, config.n_kv_head * config.head_dim
    # the inputs of the short convolution, the two norms and the products with them
    shared = wide * (2 * normed + (width if config.convolution else 0)) + narrow * 2 * width
    shared += narrow * (4 if config.mlp == "swiglu" else 2) * config.n_ffn
    # q, k, v, the attended values
    attention = narrow * (2 * query + 2 * key)
    if config.qk_norm:
        attention += wide * (query + key) * (1 if wide == narrow else 2) + narrow * query
    if config.position == "rotary":
        attention += narrow * (query + key)
    if config.lookup_heads:  # what is blended, with padding
        attention += narrow * 2 * config.lookup_heads * config.head_dim
    if config.attention == "reference":
        attention += narrow * config.n_head * config.context
    # b, c, x, b · x, that with the previous tokens, the mixed tokens, c times these
    convolution = (6 * narrow + wide) * width
    loss = loss_bytes(tokens, config.vocab_size, width, wide, narrow, whole_logits)
    head = wide * normed + narrow * width + loss / tokens
    kinds = config.layers or ("attention",) * config.n_layer
    sizes = [shared + (attention if kind == "attention" else convolution) for kind in kinds]
    recomputed = range(every - 1, len(sizes), every) if every else range(0)
    kept = [wide * width if layer in recomputed else size for layer, size in enumerate(sizes)]
    # beside a recomputed layer there are the gradients of its output and within its feed-forward network,
    # but nothing of what comes after it
    gradients = wide * width + narrow * FEED_FORWARD_GRADIENTS[config.mlp] * config.n_ffn
    peaks = [sum(kept[: layer + 1]) + sizes[layer] + gradients for layer in recomputed]
    return float(tokens * max(sum(kept) + head, *peaks, 0))


def microbatches_that_fit(
    config: GPTConfig, windows: int, precision: str, memory: float, every: int = 0
) -> int | None:
    """The smallest number of equal microbatches whose activations fit into `memory` bytes, or None."""
    for microbatches in range(1, windows + 1):
        tokens = windows // microbatches * config.context
        needed = activation_bytes(config, tokens, precision, every)
        if windows % microbatches == 0 and needed <= memory:
            return microbatches
    return None


def bill(flops: float, hardware: Hardware, precision: str) -> Bill:
    """Time, energy and price of a number of FLOPs."""
    seconds = flops / speed(hardware, precision)
    hours = seconds / HOUR * hardware.devices
    return Bill(
        seconds,
        None if hardware.power is None else hours * hardware.power / 1000,
        None if hardware.price is None else hours * hardware.price,
    )


def _biases(config: GPTConfig) -> int:
    """The number of biases in a layer's attention and feed-forward network."""
    if not config.bias:
        return 0
    matrices = 2 if config.mlp == "swiglu" else 1
    heads = (config.n_head + 2 * config.n_kv_head) * config.head_dim
    if config.bias == "qkv":
        return heads
    return heads + matrices * config.n_ffn + 2 * config.n_embd
