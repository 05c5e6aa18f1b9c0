"""What training a GPT costs, by formulas alone: numbers by part, operations, memory by part, time, energy and price.

Imports no torch, so that a plan is there at once; tests/test_costs.py holds each count against the real model.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

CHINCHILLA = 20  # tokens a parameter at which a budget of operations is best spent (Hoffmann et al. 2022)
FORWARD = 1 / 3  # the forward pass' part of a training step's operations
HOUR = 3600.0
YEAR = 365 * 24 * HOUR
# Lightning's precisions: bytes of a weight, bytes of a number in the matrix products, whose peak counts
PRECISIONS = {
    "64-true": (8, 8, "fp64"),
    "32-true": (4, 4, "fp32"),
    "bf16-mixed": (4, 2, "bf16"),
    "16-mixed": (4, 2, "fp16"),
    "bf16-true": (2, 2, "bf16"),
    "16-true": (2, 2, "fp16"),
}


@dataclass(frozen=True)
class Shape:
    """What of a GPT's config decides its costs; names and meanings are those of model/gpt.py's GPTConfig."""

    vocab_size: int
    context: int
    n_layer: int
    n_head: int
    n_embd: int
    n_kv_head: int
    head_dim: int
    n_ffn: int
    position: str
    norm: str
    mlp: str
    bias: bool
    qk_norm: bool
    tied: bool
    convolution: int
    induction_heads: int
    attention: str

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Shape":
        """The shape of a model's section with its vocab_size; what is null is derived as GPTConfig does."""
        if config["head_dim"] is None and config["n_embd"] % config["n_head"]:
            raise ValueError(
                f"model.n_embd={config['n_embd']} is not divisible by model.n_head={config['n_head']}; mend one"
            )
        derived: dict[str, Any] = {
            "n_kv_head": config["n_head"],
            "head_dim": config["n_embd"] // config["n_head"],
            "n_ffn": 4 * config["n_embd"],
        }
        given = {field.name: config[field.name] for field in fields(cls) if config[field.name] is not None}
        return cls(**derived | given)


@dataclass(frozen=True)
class Hardware:
    """What it is trained on, field for field as in conf/hardware/*.yaml; None is unknown."""

    name: str
    devices: int
    precision: str  # what pretrain.precision=auto means there
    peak: Mapping[str, float] | None  # FLOP/s of one device by number format
    utilisation: float  # the share of the peak that a training reaches
    memory: float | None  # bytes a device
    power: float | None  # watts a device
    price: float | None  # dollars an hour and device

    def __post_init__(self) -> None:
        """Refuse what nothing runs on."""
        if self.devices < 1 or not 0 < self.utilisation <= 1:
            raise ValueError(
                f"found hardware.devices={self.devices}, hardware.utilisation={self.utilisation}; "
                "there must be at least 1 device, and a share above 0, at most 1"
            )

    def speed(self, precision: str) -> float:
        """FLOP/s of all devices in training."""
        kind = PRECISIONS[precision][2]
        if not self.peak or kind not in self.peak:
            known = ", ".join(self.peak or {}) or "none"
            raise ValueError(
                f"the hardware {self.name} has no peak for {kind} (known: {known}); set hardware.peak.{kind}"
            )
        return self.devices * float(self.peak[kind]) * self.utilisation


@dataclass(frozen=True)
class Bill:
    """What a training takes, over all devices."""

    seconds: float
    kilowatt_hours: float | None
    dollars: float | None


@dataclass(frozen=True)
class Work:
    """What is to be done: tokens in steps, the windows that a device holds at once, the operations a token."""

    tokens: float
    steps: int
    windows: int
    weights: float  # operations a token, 6 a weight
    attention: float  # operations a token, attention's own; 0 where they are not counted
    corpus: int | None  # tokens that there are to train on, where that is known
    validated: float  # tokens read in all validations

    @property
    def training(self) -> float:
        """Operations of all steps."""
        return self.tokens * (self.weights + self.attention)

    @property
    def all(self) -> float:
        """Operations with those of the validations, which only look forward."""
        return self.training + FORWARD * self.validated * (self.weights + self.attention)


def precision_of(asked: str | int, automatic: str) -> str:
    """The name in PRECISIONS of what pretrain.precision asks for; `auto` is what the hardware computes in."""
    short = {"64": "64-true", "32": "32-true", "16": "16-mixed", "bf16": "bf16-mixed"}
    name = automatic if asked == "auto" else short.get(str(asked), str(asked))
    if name not in PRECISIONS:
        raise ValueError(f"found the precision {name}; its costs are known for {', '.join(PRECISIONS)}; choose one")
    return name


def free_memory() -> float:
    """Bytes that this machine could give now, within its container's limit."""
    import psutil

    free = float(psutil.virtual_memory().available)
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    if limit.is_file() and used.is_file() and limit.read_text().strip().isdigit():
        free = min(free, float(limit.read_text()) - float(used.read_text()))
    return free


def require_room(numbers: float) -> None:
    """Refuse a model of so many numbers that its weights alone, in float32, are more than this machine can give."""
    needed, free = 4 * numbers, free_memory()
    if needed > free:
        raise ValueError(
            f"this model's {numbers:,.0f} weights take {needed / 2**30:,.0f} GiB of memory and {free / 2**30:,.1f} GiB "
            "are free; choose a smaller one, as model=small, or a larger machine"
        )


def parameters(shape: Shape) -> dict[str, int]:
    """Trained numbers by part; a tied output head counts once, with the embedding."""
    width, layers = shape.n_embd, shape.n_layer
    heads = (shape.n_head + 2 * shape.n_kv_head) * shape.head_dim
    attention = width * heads + shape.n_head * shape.head_dim * width
    matrices = 3 if shape.mlp == "swiglu" else 2
    feed_forward = matrices * width * shape.n_ffn
    norms = (2 * layers + 1) * width
    if shape.bias:
        attention += heads + width
        feed_forward += (matrices - 1) * shape.n_ffn + width
        norms *= 2 if shape.norm == "layernorm" else 1
    if shape.qk_norm:
        norms += 2 * layers * shape.head_dim
    return {
        "token embedding": shape.vocab_size * width,
        "positions": shape.context * width if shape.position == "learned" else 0,
        "attention": layers * attention,
        "feed-forward": layers * feed_forward,
        "norms": norms,
        "short convolutions": layers * shape.convolution * (width + 2 * shape.induction_heads * shape.head_dim),
        "output head": 0 if shape.tied else shape.vocab_size * width,
    }


def flops_per_token(shape: Shape) -> tuple[float, float]:
    """Operations to train on a token: 6 a weight that is multiplied with (Kaplan et al. 2020), and attention's own.

    The second is 12 · layers · heads · head size · context (Chowdhery et al. 2022, app. B): scores and their sums.
    """
    parts = parameters(shape)
    looked_up = parts["positions"] + (0 if shape.tied else parts["token embedding"])
    attention = 12 * shape.n_layer * shape.n_head * shape.head_dim * shape.context
    return 6.0 * (sum(parts.values()) - looked_up), float(attention)


def state_bytes(shape: Shape, optimizer: str, precision: str) -> dict[str, float]:
    """Bytes of weights, gradients and the optimizer's state: two numbers a weight for AdamW, one for Muon's matrices.

    Mixed precision holds its narrow copies of the matrices beside the weights.
    """
    parts = parameters(shape)
    total = sum(parts.values())
    size, narrow, _ = PRECISIONS[precision]
    matrices = parts["attention"] + parts["feed-forward"] - shape.n_layer * _biases(shape)
    copies = narrow * (matrices + shape.vocab_size * shape.n_embd) if narrow < size else 0
    states = 2 * total - (matrices if optimizer == "muon" else 0)
    return {"weights": size * total + copies, "gradients": size * total, "optimizer": size * states}


def activation_bytes(shape: Shape, tokens: int, precision: str, checkpointed: bool) -> float:
    """Bytes that the backward pass needs of the forward pass over `tokens` tokens at once, without dropout's masks.

    Checkpointed, each layer keeps its input alone and is computed again (Chen et al. 2016), one layer at a time. In
    mixed precision residual stream, norms and loss stay in float32.
    """
    wide, narrow, _ = PRECISIONS[precision]
    width, normed = shape.n_embd, (2 if shape.norm == "rmsnorm" else 1) * shape.n_embd  # RMSNorm keeps x / rms(x), too
    query, key = shape.n_head * shape.head_dim, shape.n_kv_head * shape.head_dim
    # what the short convolution and the two norms read
    layer = wide * (2 * normed + (width if shape.convolution else 0))
    if shape.qk_norm:
        layer += wide * (query + key) * (1 if wide == narrow else 2) + narrow * query
    # what the four products read: normed inputs, q, k, v, the mixed values
    layer += narrow * (2 * width + 2 * query + 2 * key)
    if shape.position == "rotary":
        layer += narrow * (query + key)
    if shape.attention == "reference":
        layer += narrow * shape.n_head * shape.context
    layer += narrow * (4 if shape.mlp == "swiglu" else 2) * shape.n_ffn
    # log-probabilities and their gradient, in float32 at least, and the logits where those are narrower
    loss = shape.vocab_size * (2 * max(4, narrow) + (narrow if narrow < 4 else 0))
    head = wide * normed + narrow * width + loss
    layers = shape.n_layer * wide * width + layer if checkpointed else shape.n_layer * layer
    return float(tokens * (layers + head))


def parts_that_fit(shape: Shape, windows: int, precision: str, memory: float) -> int | None:
    """The least number of equal parts of a device's windows whose activations fit into `memory` bytes; None: none."""
    one = activation_bytes(shape, shape.context, precision, checkpointed=False)
    return next((n for n in range(1, windows + 1) if windows % n == 0 and windows // n * one <= memory), None)


def bill(flops: float, hardware: Hardware, precision: str) -> Bill:
    """Time, energy and price of so many operations."""
    seconds = flops / hardware.speed(precision)
    hours = seconds / HOUR * hardware.devices
    return Bill(
        seconds,
        None if hardware.power is None else hours * hardware.power / 1000,
        None if hardware.price is None else hours * hardware.price,
    )


def _biases(shape: Shape) -> int:
    """Numbers of a layer's attention and feed-forward network that are no matrix."""
    if not shape.bias:
        return 0
    matrices = 2 if shape.mlp == "swiglu" else 1
    heads = (shape.n_head + 2 * shape.n_kv_head) * shape.head_dim
    return heads + matrices * shape.n_ffn + 2 * shape.n_embd
