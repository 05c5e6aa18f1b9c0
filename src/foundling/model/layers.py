"""The layers of a block besides attention: norms, feed-forward networks, sinusoids, short convolutions.

Shapes: B batch, T time, C width.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from foundling.model.config import Mlp, Norm
from foundling.model.gelu import gelu
from foundling.model.kv_cache import ConvolutionState
from foundling.model.rotary import angles, frequencies


def make_norm(kind: Norm, width: int, eps: float, bias: bool) -> nn.Module:
    """LayerNorm (Ba et al. 2016), or RMSNorm, which omits mean and bias (Zhang and Sennrich 2019)."""
    return nn.LayerNorm(width, eps=eps, bias=bias) if kind == "layernorm" else nn.RMSNorm(width, eps=eps)


class MLP(nn.Module):
    """The position-wise feed-forward network: (B, T, C) -> (B, T, C).

    relu: as in the 2017 Transformer; gelu: the tanh approximation, as in GPT-2; relu2: squared ReLU
    (So et al. 2021); swiglu: SiLU(gate) · up (Shazeer 2020).
    """

    def __init__(self, kind: Mlp, width: int, hidden: int, bias: bool) -> None:
        super().__init__()
        self.kind = kind
        self.up = nn.Linear(width, hidden, bias=bias)
        self.gate = nn.Linear(width, hidden, bias=bias) if kind == "swiglu" else None
        self.out = nn.Linear(hidden, width, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Transform each position of x (B, T, C) independently."""
        if self.gate is not None:
            return self.out(F.silu(self.gate(x)) * self.up(x))
        h = self.up(x)  # (B, T, hidden)
        if self.kind == "gelu":
            return self.out(gelu(h))
        return self.out(F.relu(h).square() if self.kind == "relu2" else F.relu(h))


def previous_tokens(
    x: Tensor, reach: int, state: ConvolutionState | None, segments: Tensor | None
) -> Iterator[Tensor]:
    """What precedes each token of x (B, T, C) by 1, then by 2 … `reach` positions: (B, T, C) each.

    Zeros stand for what precedes the beginning.

    Args:
        x: the new tokens.
        reach: how many previous tokens are read.
        state: the inputs that precede x, updated in place; None where x starts the sequence.
        segments: (B, T) numbers of packed texts; a token reads only tokens of its own text.
    """
    t = x.size(1)
    if state is None or state.inputs is None:
        padded = F.pad(x, (0, 0, reach, 0))  # (B, reach + T, C)
    else:
        padded = torch.cat((state.inputs, x), dim=1)  # (B, reach + T, C)
    if state is not None:
        state.inputs = padded[:, -reach:]  # (B, reach, C)
    for k in range(1, reach + 1):
        previous = padded.narrow(1, reach - k, t)  # (B, T, C), shifted by k
        if segments is not None:
            same_text = F.pad(segments[:, k:] == segments[:, :-k], (min(k, t), 0))  # (B, T)
            previous = previous * same_text.unsqueeze(-1)
        yield previous


class ShortConvolution(nn.Module):
    """A causal depthwise convolution with a residual: x[t] + Σₖ wₖ ⊙ x[t-k] for k = 1 … reach.

    To copy from the context, a token needs to know its predecessor. Attention spends a layer on that, this a
    few hundred weights (compare the short convolutions of H3, Fu et al. 2023, and Mamba). It starts as the
    identity.
    """

    def __init__(self, width: int, reach: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(reach, width))

    def forward(
        self, x: Tensor, state: ConvolutionState | None = None, segments: Tensor | None = None
    ) -> Tensor:
        """Convolve x (B, T, C) over time; state and segments as in `previous_tokens`."""
        weights = self.weight.unbind()  # (C,) each
        for weight, previous in zip(weights, previous_tokens(x, len(weights), state, segments), strict=True):
            x = torch.addcmul(x, previous, weight)  # (B, T, C)
        return x


class GatedConvolution(nn.Module):
    """The gated short convolution of LFM2 (Liquid AI 2025): out(c ⊙ conv(b ⊙ x)).

    b, c and x are linear in the input, and conv is causal and depthwise: it reads each channel of the token
    itself and of the kernel - 1 before it.
    """

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.projection = nn.Linear(width, 3 * width, bias=False)  # to b, c and x
        self.weight = nn.Parameter(torch.empty(kernel, width))  # from the first token to the last, its own
        self.out = nn.Linear(width, width, bias=False)
        nn.init.uniform_(self.weight, -(kernel**-0.5), kernel**-0.5)  # as nn.Conv1d

    def forward(
        self, x: Tensor, state: ConvolutionState | None = None, segments: Tensor | None = None
    ) -> Tensor:
        """Mix x (B, T, C) over time; state and segments as in `previous_tokens`."""
        b, c, x = self.projection(x).chunk(3, dim=-1)  # (B, T, C) each
        x = b * x
        mixed, reach = x * self.weight[-1], self.weight.size(0) - 1
        for k, previous in enumerate(previous_tokens(x, reach, state, segments), start=1):
            mixed = torch.addcmul(mixed, previous, self.weight[reach - k])  # (B, T, C)
        return self.out(c * mixed)


def sinusoids(context: int, width: int) -> Tensor:
    """Position vectors (context, C): sines in even, cosines in odd channels (Vaswani et al. 2017, 3.5)."""
    table = angles(context, frequencies(width, theta=10_000.0))  # (context, C/2)
    return torch.stack((table.sin(), table.cos()), dim=-1).flatten(1)  # (context, C)
