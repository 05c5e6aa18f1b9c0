"""Networks whose weights the processes of a training divide among them: FSDP2 and tensor parallelism.

A copy of the stage's network is divided and trained, by PyTorch's fully_shard (Zhao et al. 2023) or
parallelize_module. The network itself stays whole, and gets the trained weights for samples, snapshots and
the result. Checkpoints have whole weights, too, so that any number of processes resumes from them.
"""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed import all_reduce
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

from foundling.division import check_divisible
from foundling.model.gpt import GPT
from foundling.model.lora import LoRALinear
from foundling.model.tensor_parallel import PARTIAL, PLAN, order_of_rows
from foundling.training.activations import blocks_of
from foundling.training.sharding import is_shard, shard_like, whole

STYLES = {"columns": ColwiseParallel, "rows": RowwiseParallel}


class ShardedNetwork:
    """A network, `whole`, and the copy of it that is trained in shards, `network`."""

    def __init__(self, whole: nn.Module, mesh: DeviceMesh) -> None:
        """Divide a copy of the network among the processes of a Lightning strategy's mesh."""
        self.whole = whole
        self.network = copy.deepcopy(whole)
        self.orders: dict[Tensor, Tensor] = {}  # of the rows of parameters, where it is not the whole one's
        tensor_parallel = mesh["tensor_parallel"]
        self.divides_batches = tensor_parallel.size() == 1
        if self.divides_batches:
            _shard_fully(self.network, mesh["data_parallel"])
        else:
            self.orders = _divide_layers(self.network, tensor_parallel)
        if whole._compiled_call_impl is not None:
            self.network.compile()

    def parameters(self) -> dict[str, nn.Parameter]:
        """The shards of the parameters, also after a forward pass, which leaves some of them whole."""
        for module in self.network.modules():
            if isinstance(module, FSDPModule):
                module.reshard()
        return dict(self.network.named_parameters())

    @torch.no_grad()
    def gather(self) -> None:
        """Copy the trained weights into the whole network; each process has to call this."""
        trained = self.parameters()
        for name, parameter in self.whole.named_parameters():
            if parameter.requires_grad:
                parameter.copy_(self.collect(trained[name], trained[name]))

    def collect(self, tensor: Tensor, parameter: Tensor) -> Tensor:
        """The whole of a parameter, or of the optimizer's state of it; each process has to call this."""
        gathered, order = whole(tensor.detach()), self.orders.get(parameter)
        return gathered if order is None or gathered.shape != parameter.shape else gathered[order.argsort()]

    def divide(self, tensor: Tensor, parameter: Tensor) -> Tensor:
        """This process's shard of what `collect` returned."""
        if is_shard(tensor) or tensor.shape != parameter.shape:
            return tensor
        order = self.orders.get(parameter)
        return shard_like(tensor if order is None else tensor[order], parameter)


def _shard_fully(network: nn.Module, mesh: DeviceMesh) -> None:
    """Shard each block, and then what is outside of them, in place."""
    for block in blocks_of(network):
        fully_shard(block, mesh=mesh)
    fully_shard(network, mesh=mesh, reshard_after_forward=False)


def _divide_layers(network: nn.Module, mesh: DeviceMesh) -> dict[Tensor, Tensor]:
    """Divide the layers of a GPT, or of a classifier's, in place; returns the orders of parameters' rows."""
    gpt = getattr(network, "trunk", network)
    if not isinstance(gpt, GPT) or any(isinstance(module, LoRALinear) for module in gpt.modules()):
        raise ValueError("trainer=tp divides GPTs, without LoRA; use trainer=fsdp or trainer=ddp")
    check_divisible(gpt.config, mesh.size())
    orders: dict[Tensor, Tensor] = {}
    for block in gpt.blocks:
        attention: Any = block.attention
        order = order_of_rows(attention, mesh.size())
        with torch.no_grad():
            for parameter in attention.qkv.parameters():
                parameter.copy_(parameter[order])
        layers = dict(block.named_modules())
        parallelize_module(block, mesh, {name: STYLES[PLAN[name]]() for name in PLAN if name in layers})
        orders |= dict.fromkeys(attention.qkv.parameters(), order)
        attention.head_counts = tuple(heads // mesh.size() for heads in attention.head_counts)
        for name, parameter in block.named_parameters():
            if name in PARTIAL and parameter.requires_grad:
                parameter.register_hook(lambda gradient: _sum_over(mesh, gradient))
    return orders


def _sum_over(mesh: DeviceMesh, gradient: Tensor) -> Tensor:
    summed = gradient.clone()
    all_reduce(summed, group=mesh.get_group())
    return summed
