"""Formulas for the memory of training a GPT, by part, and what this machine has free; imports no torch.

tests/test_costs.py compares them with real trainings.
"""

from pathlib import Path

from foundling.costs import PRECISIONS, parameters
from foundling.model.config import GPTConfig, Mlp
from foundling.model.logits import loss_bytes

# gradients as wide as the hidden layer that a feed-forward network's backward pass holds at once
FEED_FORWARD_GRADIENTS: dict[Mlp, int] = {"gelu": 1, "relu": 1, "relu2": 2, "swiglu": 2}


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
    # with a recomputed layer there are the gradients of its output and within its feed-forward network,
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


def _biases(config: GPTConfig) -> int:
    """The number of biases in a layer's attention and feed-forward network."""
    if not config.bias:
        return 0
    matrices = 2 if config.mlp == "swiglu" else 1
    heads = (config.n_head + 2 * config.n_kv_head) * config.head_dim
    if config.bias == "qkv":
        return heads
    return heads + matrices * config.n_ffn + 2 * config.n_embd
