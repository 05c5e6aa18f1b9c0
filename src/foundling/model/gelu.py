"""GELU in its tanh form, as in GPT-2: ½x(1 + tanh(u)) with u = √(2/π)(x + 0.044715x³).

(Hendrycks and Gimpel 2016.) The same function is x·σ(2u). torch's CPU kernels take several times as long for
a tanh as for a sigmoid, so float32 on a CPU uses that form (docs/performance.md).
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

# 2u = x(LINEAR + CUBIC x²)
LINEAR = math.sqrt(8 / math.pi)
CUBIC = 0.044715 * LINEAR


def gelu(x: Tensor) -> Tensor:
    """GELU of each number of x, equal to torch's `approximate="tanh"` up to rounding."""
    if x.device.type != "cpu" or x.dtype != torch.float32 or torch.compiler.is_compiling():
        return F.gelu(x, approximate="tanh")
    if not torch.is_grad_enabled():
        return _gate(x).mul_(x)
    activated: Tensor = _SigmoidForm.apply(x)  # type: ignore[no-untyped-call]
    return activated


class _SigmoidForm(torch.autograd.Function):
    """x·σ(2u), which keeps x alone for the backward pass."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return _gate(x).mul_(x)

    @staticmethod
    @once_differentiable  # type: ignore[misc]
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """The derivative is σ + xσ(1 - σ)(LINEAR + 3 CUBIC x²)."""
        (x,) = ctx.saved_tensors
        gate = _gate(x)
        slope = torch.addcmul(torch.scalar_tensor(LINEAR), x, x, value=3 * CUBIC)
        return gate.addcmul_(torch.ops.aten.sigmoid_backward(x, gate), slope).mul_(gradient)


def _gate(x: Tensor) -> Tensor:
    """σ(2u), in a new tensor."""
    return torch.addcmul(torch.scalar_tensor(LINEAR), x, x, value=CUBIC).mul_(x).sigmoid_()
