"""Activation checkpointing: keep a block's input, and compute the rest again in the backward pass.

It saves most of the memory of a training's activations for about a third more computation (Chen et al. 2016);
losses and gradients are the same.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from foundling.settings.runtime import ACTIVATION_CHECKPOINTING


def checkpoint_activations(network: nn.Module, every: int) -> None:
    """Checkpoint every `every`-th block of the network, in place, wherever gradients are needed."""
    blocks = blocks_of(network)
    if not blocks:
        raise ValueError(
            "the network has no blocks in an nn.ModuleList, whose activations could be checkpointed; set "
            f"{ACTIVATION_CHECKPOINTING}=0"
        )
    for block in blocks[every - 1 :: every]:
        block.forward = partial(_forward, block.forward)


def blocks_of(network: nn.Module) -> list[nn.Module]:
    """The network's repeated blocks: the members of its nn.ModuleLists, but not of those within a block."""
    lists = [name for name, module in network.named_modules() if isinstance(module, nn.ModuleList)]
    outer = [name for name in lists if not any(name.startswith(f"{other}.") for other in lists)]
    return [block for name in outer for block in network.get_submodule(name).children()]


def _forward(forward: Callable[..., Any], *inputs: Any, **options: Any) -> Any:
    """The block's output; it is checkpointed unless no gradients are computed, as in a validation."""
    if not torch.is_grad_enabled():
        return forward(*inputs, **options)
    return checkpoint(forward, *inputs, use_reentrant=False, **options)
