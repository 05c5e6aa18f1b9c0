"""Tensors of which several processes hold a shard each, torch's DTensors, and plain ones.

Imports torch.distributed.tensor, which takes a second, only where there are shards.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


def is_shard(tensor: Tensor) -> bool:
    """Whether this is a DTensor."""
    return hasattr(tensor, "full_tensor")


def whole(tensor: Tensor) -> Tensor:
    """The tensor of which this is a shard, gathered by all processes; a plain tensor stays as it is."""
    gathered: Tensor = tensor.full_tensor() if is_shard(tensor) else tensor  # type: ignore[attr-defined]
    return gathered


def shard_like(tensor: Tensor, like: Tensor) -> Tensor:
    """This process's shard of a tensor that all processes have, where `like` is a shard of the same shape."""
    if not is_shard(like):
        return tensor
    from torch.distributed.tensor import DTensor, distribute_tensor

    assert isinstance(like, DTensor)
    return distribute_tensor(tensor.to(like.device), like.device_mesh, like.placements, src_data_rank=None)


def are_mixed(tensors: Iterable[Tensor]) -> bool:
    """Whether some tensors are shards and others are not, so that no operation takes all of them at once."""
    return len({is_shard(tensor) for tensor in tensors}) > 1


def total_norm(gradients: list[Tensor]) -> Tensor:
    """The norm of all gradients together."""
    if not are_mixed(gradients):
        return whole(nn.utils.get_total_norm(gradients))
    norms = [whole(torch.linalg.vector_norm(gradient)) for gradient in gradients]
    return torch.linalg.vector_norm(torch.stack(norms))


def clip(parameters: list[Tensor], largest: float, norm: Tensor) -> None:
    """Scale the gradients down, in place, so that their norm, which is given, becomes at most `largest`."""
    foreach = False if are_mixed(parameters) else None
    nn.utils.clip_grads_with_norm_(parameters, largest, norm, foreach)
