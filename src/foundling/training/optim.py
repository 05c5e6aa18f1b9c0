"""Optimizers and learning-rate schedules: the targets of conf/optimizer and conf/schedule.

An optimizer is a function from the network and the settings to a torch.optim.Optimizer; a schedule is a
function from the settings to the factor of the peak learning rate at each step.
"""

import math
from collections.abc import Callable
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from torch.optim.adamw import adamw as adamw_update

from foundling.training.sharding import are_mixed, shard_like, whole

Schedule = Callable[[int], float]

# coefficients of the Newton–Schulz iteration: an odd polynomial that drives a matrix's singular values
# towards 1
QUINTIC = (3.4445, -4.7750, 2.0315)  # Jordan et al. 2024


def adamw(
    network: nn.Module, lr: float, betas: tuple[float, float], eps: float, weight_decay: float
) -> Optimizer:
    """AdamW with weight decay for matrices and embeddings, not for norms, biases and short convolutions."""
    decayed = {id(m.weight) for m in network.modules() if isinstance(m, (nn.Linear, nn.Embedding))}
    parameters = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if id(p) in decayed], "weight_decay": weight_decay},
        {"params": [p for p in parameters if id(p) not in decayed], "weight_decay": 0.0},
    ]
    # one kernel per parameter instead of nine; on GPUs a loss scaler would not unscale the gradient for us
    one_by_one = are_mixed(parameters)
    fused = all(p.device.type == "cpu" for p in parameters) and not one_by_one
    foreach = False if one_by_one else None
    groups = [group for group in groups if group["params"]]
    return AdamW(groups, lr=lr, betas=tuple(betas), eps=eps, fused=fused, foreach=foreach)  # type: ignore[arg-type]


def muon(
    network: nn.Module,
    lr: float,
    momentum: float,
    weight_decay: float,
    adamw_lr: float,
    adamw_betas: tuple[float, float],
    adamw_eps: float,
    adamw_weight_decay: float,
) -> Optimizer:
    """Muon for the blocks' matrices, AdamW for embeddings, head, norms, biases and short convolutions."""
    blocks: Any = network.blocks
    inner = {id(m.weight) for block in blocks for m in block.modules() if isinstance(m, nn.Linear)}
    parameters = [p for p in network.parameters() if p.requires_grad]
    matrices = sorted((p for p in parameters if id(p) in inner), key=lambda p: tuple(p.shape))
    groups: list[dict[str, Any]] = [
        {
            "params": list(same_shape),
            "kind": "muon",
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
        }
        for _, same_shape in groupby(matrices, key=lambda p: tuple(p.shape))
    ]
    others = [p for p in parameters if id(p) not in inner]
    groups.append(
        {
            "params": others,
            "kind": "adamw",
            "lr": adamw_lr,
            "betas": tuple(adamw_betas),
            "eps": adamw_eps,
            "weight_decay": adamw_weight_decay,
        }
    )
    return Muon(groups)


class Muon(Optimizer):
    """Muon (Jordan et al. 2024): momentum whose update is orthogonalized, matrix by matrix.

    An orthogonal update has the same size in all directions. torch.optim.Muon computes it one matrix at a
    time in bfloat16, which most CPUs only emulate; here the matrices of each shape are one batch, in float32.
    Groups of kind "adamw" are updated by torch's AdamW.
    """

    def __init__(self, groups: list[dict[str, Any]]) -> None:
        super().__init__(groups, defaults={})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """Update all parameters that have a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if parameters:
                (self._muon if group["kind"] == "muon" else self._adamw)(group, parameters)
        return loss

    def _muon(self, group: dict[str, Any], parameters: list[Tensor]) -> None:
        for p in parameters:
            self.state[p].setdefault("momentum", torch.zeros_like(p))
        gradients: list[Tensor] = [p.grad for p in parameters if p.grad is not None]
        buffers = [self.state[p]["momentum"] for p in parameters]
        torch._foreach_lerp_(buffers, gradients, 1 - group["momentum"])
        nesterov = torch._foreach_lerp(gradients, buffers, group["momentum"])
        updates = orthogonalize(torch.stack([whole(update) for update in nesterov]))
        rows, columns = parameters[0].shape
        torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
        shards = [shard_like(update, p) for update, p in zip(updates.unbind(), parameters, strict=True)]
        torch._foreach_add_(parameters, shards, alpha=-group["lr"] * max(1, rows / columns) ** 0.5)

    def _adamw(self, group: dict[str, Any], parameters: list[Tensor]) -> None:
        for p in parameters:
            if not self.state[p]:
                self.state[p] = {
                    "first": torch.zeros_like(p),
                    "second": torch.zeros_like(p),
                    "step": torch.tensor(0.0),
                }
        states = [self.state[p] for p in parameters]
        adamw_update(
            parameters,
            [p.grad for p in parameters if p.grad is not None],
            [s["first"] for s in states],
            [s["second"] for s in states],
            [],
            [s["step"] for s in states],
            foreach=not are_mixed(parameters),
            amsgrad=False,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=False,
        )


def orthogonalize(matrices: Tensor, steps: int = 5) -> Tensor:
    """Matrices (N, rows, columns) with the same singular vectors, and all singular values close to 1."""
    wide = matrices.size(-2) <= matrices.size(-1)
    x = matrices if wide else matrices.mT
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    a, b, c = QUINTIC
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x if wide else x.mT


def cosine(max_steps: int, warmup: int, final: float) -> Schedule:
    """Factor of the peak learning rate: linear warm-up for `warmup` steps, then half a cosine to `final`."""

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        progress = min(1.0, (step - warmup) / max(1, max_steps - warmup))
        return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * progress))

    return factor


def inverse_sqrt(max_steps: int, warmup: int) -> Schedule:
    """Factor of the peak learning rate: linear warm-up, then 1/√step (Vaswani et al. 2017, eq. 3).

    The peak rate in the paper, reached at the end of the warm-up, is 1/√(width · warmup): 7e-4 for its base
    model.
    """

    warmup_steps = max(1, warmup)

    def factor(step: int) -> float:
        return min((step + 1) / warmup_steps, math.sqrt(warmup_steps / (step + 1)))

    return factor


def trapezoid(max_steps: int, warmup: int, decay: float, final: float) -> Schedule:
    """Factor of the peak learning rate: linear warm-up, constant, then linear decay (WSD; Hu et al. 2024).

    The decay to `final` takes the last fraction `decay` of all steps.
    """
    decay_steps = max(1, round(decay * max_steps))

    def factor(step: int) -> float:
        warmed_up = min(1.0, (step + 1) / max(1, warmup))
        not_decayed = min(1.0, max(0, max_steps - step) / decay_steps)
        return min(warmed_up, final + (1 - final) * not_decayed)

    return factor
