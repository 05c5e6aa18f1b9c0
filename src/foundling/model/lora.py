"""Low-rank adaptation: linear layers are wrapped from outside, trained, and merged back into plain ones.

LoRA (Hu et al. 2021) freezes W and learns a low-rank update: y = W x + (alpha / rank) · B A x. B starts at
zero, so that the wrapped network starts as the original one. The network's code does not know about it.
"""

import math
import re
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from foundling.settings.training import Lora


class LoRALinear(nn.Module):
    """A linear layer with a low-rank update: (…, in) -> (…, out)."""

    def __init__(
        self,
        base: nn.Linear,
        rank: int,
        alpha: float,
        dropout: float,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.base = base
        self.scale = alpha / rank
        self.dropout = dropout
        bound = 1 / math.sqrt(base.in_features)  # as nn.Linear's default
        initial = torch.empty(rank, base.in_features).uniform_(-bound, bound, generator=generator)
        self.down = nn.Parameter(initial.to(base.weight))  # A, (rank, in)
        self.up = nn.Parameter(base.weight.new_zeros(base.out_features, rank))  # B, (out, rank)

    def forward(self, x: Tensor) -> Tensor:
        """W x + b + scale · B A x; dropout is applied to the input of the update only."""
        low = F.linear(F.dropout(x, self.dropout, self.training), self.down)  # (…, rank)
        return self.base(x) + self.scale * F.linear(low, self.up)

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """The equivalent plain layer, W + scale · B A; changes the base layer in place."""
        self.base.weight += self.scale * (self.up @ self.down)
        return self.base


def wrap(network: nn.Module, settings: Lora, seed: int) -> list[nn.Parameter]:
    """Freeze `network` and wrap the linear layers in `targets`, in place; return the trainable parameters.

    A target is the end of a layer's dotted name: "qkv", or "attention.out" where "out" alone is ambiguous. A
    target without a layer raises ValueError. With `last`, only the layers in the last so many blocks are
    wrapped; what is below them stays a function of the text alone.
    """
    linear = {name: module for name, module in network.named_modules() if isinstance(module, nn.Linear)}
    if settings.last is not None:
        linear = _in_last_blocks(linear, settings.last)
    for target in settings.targets:
        if not any(_matches(name, target) for name in linear):
            known = dict.fromkeys(".".join(name.split(".")[-2:]) for name in linear)
            raise ValueError(f"lora.targets={target!r}: must be a linear layer, one of {', '.join(known)}")
    chosen = [name for name in linear if any(_matches(name, target) for target in settings.targets)]
    if not chosen:
        raise ValueError("lora.targets is empty; name the layers to adapt, as [attention.qkv, attention.out]")
    network.requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    for name in chosen:
        _replace(
            network,
            name,
            LoRALinear(linear[name], settings.rank, settings.alpha, settings.dropout, generator),
        )
    return [p for p in network.parameters() if p.requires_grad]


def merge(network: nn.Module) -> None:
    """Replace the wrapped layers by equivalent plain ones, in place.

    Their weights become trainable; the frozen layers stay as marked, so that a network that is tested from
    the states after its frozen blocks still finds where those end.
    """
    for name, layer in list(wrapped(network)):
        _replace(network, name, layer.merged().requires_grad_(True))


def wrapped(network: nn.Module) -> Iterator[tuple[str, LoRALinear]]:
    """The wrapped layers and their names."""
    return ((name, module) for name, module in network.named_modules() if isinstance(module, LoRALinear))


def _in_last_blocks(linear: dict[str, nn.Linear], last: int) -> dict[str, nn.Linear]:
    """The layers of the last `last` blocks, by their names (blocks.<number>.…)."""
    numbers = {name: int(found[1]) for name in linear if (found := re.match(r"blocks\.(\d+)\.", name))}
    blocks = max(numbers.values(), default=-1) + 1
    if last > blocks:
        raise ValueError(
            f"lora.last={last}: must be at most {blocks}, the number of the base's blocks, or null for all"
        )
    return {name: linear[name] for name, number in numbers.items() if number >= blocks - last}


def _matches(name: str, target: str) -> bool:
    return name == target or name.endswith(f".{target}")


def _replace(network: nn.Module, name: str, layer: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(network.get_submodule(parent), last, layer)
