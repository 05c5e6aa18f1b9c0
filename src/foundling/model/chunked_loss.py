"""The cross-entropy of a large vocabulary without its logits.

A batch of 2,048 tokens has 400 MB of logits over GPT-2's vocabulary, and a training keeps their probabilities
and the gradient, too. Here the forward pass takes a chunk of tokens at a time, and computes the gradients of
the hidden states and of the head's matrix while it has the chunk's logits: the same products in another order
(compare Liger Kernel, Hsu et al. 2024).

Shapes: N tokens, C width, V vocabulary, n tokens of a chunk.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from foundling.model.logits import tokens_of_chunk


def chunked_loss(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """The sum over the tokens of -log p(target), in nats.

    From hidden states (N, C), the head's matrix (V, C) and targets (N,).
    """
    device = hidden.device.type
    mixed = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else hidden.dtype
    with torch.autocast(device, enabled=False):
        loss: Tensor = _ChunkedLoss.apply(hidden, weight, targets, mixed)  # type: ignore[no-untyped-call]
    return loss


class _ChunkedLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, dtype: torch.dtype) -> Tensor:
        need_hidden, need_weight = ctx.needs_input_grad[:2]
        narrow = weight.to(dtype)
        d_hidden = torch.empty_like(hidden) if need_hidden else None
        d_weight = torch.zeros_like(weight) if need_weight else None
        loss = torch.zeros((), dtype=torch.float32, device=hidden.device)
        size = tokens_of_chunk(len(weight))
        for start in range(0, len(targets), size):
            rows, wanted = slice(start, start + size), targets[start : start + size, None]
            states = hidden[rows].to(dtype)  # (n, C)
            logits = (states @ narrow.T).float()  # (n, V)
            total = logits.logsumexp(-1, keepdim=True)  # (n, 1)
            loss += (total - logits.gather(1, wanted)).sum()
            if not (need_hidden or need_weight):
                continue
            slope = logits.sub_(total).exp_()  # (n, V): the probabilities, less 1 at the target
            slope.scatter_add_(1, wanted, slope.new_full(wanted.shape, -1.0))
            slope = slope.to(dtype)
            if d_hidden is not None:
                d_hidden[rows] = slope @ narrow
            if d_weight is not None:
                if dtype == weight.dtype:
                    d_weight.addmm_(slope.T, states)
                else:
                    d_weight += slope.T @ states
        ctx.gradients = d_hidden, d_weight
        return loss

    @staticmethod
    @once_differentiable  # type: ignore[misc]
    def backward(ctx: Any, scale: Tensor) -> tuple[Tensor | None, ...]:
        """Scales the gradients in place, which are then gone: there is no second pass."""
        gradients = ctx.gradients
        del ctx.gradients
        return (*(None if gradient is None else gradient.mul_(scale) for gradient in gradients), None, None)
