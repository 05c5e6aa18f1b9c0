import copy

import pytest
import torch
from torch.nn import functional as F

from foundling.model.gelu import gelu
from foundling.model.layers import MLP, GatedConvolution


def test_a_gated_convolution_is_a_depthwise_one_between_two_gates() -> None:
    torch.manual_seed(0)
    layer, x = GatedConvolution(width=8, kernel=3), torch.randn(2, 11, 8)
    b, c, value = layer.projection(x).chunk(3, dim=-1)
    padded = F.pad((b * value).mT, (2, 0))  # (B, C, 2 + T)
    mixed = F.conv1d(padded, layer.weight.T.unsqueeze(1), groups=8).mT
    torch.testing.assert_close(layer(x), layer.out(c * mixed))


def test_gelu_and_its_derivative_are_torchs_in_float64() -> None:
    x = torch.cat((torch.linspace(-12, 12, 4001), torch.tensor([0.0, -0.0, 1e4, -1e4])))
    ours, exact = x.clone().requires_grad_(), x.double().requires_grad_()
    weights = torch.randn(len(x), generator=torch.Generator().manual_seed(0))
    (gelu(ours) * weights).sum().backward()
    (F.gelu(exact, approximate="tanh") * weights.double()).sum().backward()
    torch.testing.assert_close(gelu(x).double(), F.gelu(x.double(), approximate="tanh"), rtol=2e-6, atol=2e-7)
    assert ours.grad is not None
    torch.testing.assert_close(ours.grad.double(), exact.grad, rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_gelu_in_another_precision_is_torchs_own(dtype: torch.dtype) -> None:
    x = torch.linspace(-5, 5, 101, dtype=dtype)
    assert torch.equal(gelu(x), F.gelu(x, approximate="tanh"))


def test_gelu_leaves_its_input_and_keeps_no_more_of_it_than_torch() -> None:
    """Its tensors are modified in place; what is kept for the backward pass is the input alone."""
    kept: list[torch.Tensor] = []
    x = torch.randn(4, 8, requires_grad=True)
    before = x.detach().clone()
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        y = gelu(x)
    assert [t.data_ptr() for t in kept] == [x.data_ptr()]
    y.sum().backward()
    assert torch.equal(x, before)


def test_gelu_without_gradients_is_the_same_to_the_bit() -> None:
    x = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        plain = gelu(x)
    assert torch.equal(plain, gelu(x.requires_grad_()))


def test_a_gelu_network_is_the_same_when_compiled() -> None:
    torch.manual_seed(0)
    network, x = MLP("gelu", 8, 32, bias=True), torch.randn(2, 3, 8)
    other = copy.deepcopy(network)
    other.compile(backend="aot_eager")
    (network(x).sum() + other(x).sum()).backward()
    for ours, theirs in zip(network.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)
