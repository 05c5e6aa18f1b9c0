import torch
from torch.nn import functional as F

from foundling.model.layers import GatedConvolution


def test_a_gated_convolution_is_a_depthwise_one_between_two_gates() -> None:
    torch.manual_seed(0)
    layer, x = GatedConvolution(width=8, kernel=3), torch.randn(2, 11, 8)
    b, c, value = layer.projection(x).chunk(3, dim=-1)
    padded = F.pad((b * value).mT, (2, 0))  # (B, C, 2 + T)
    mixed = F.conv1d(padded, layer.weight.T.unsqueeze(1), groups=8).mT
    torch.testing.assert_close(layer(x), layer.out(c * mixed))
