import pytest
import torch
from torch import nn

from foundling.model.attention import (
    Attention,
    attention_weights,
    causal_mask,
    fused_attention,
    reference_attention,
)
from foundling.model.initialisation import COPYING_GAIN, copy_attended
from foundling.model.kv_cache import LayerCache
from foundling.model.rotary import rotary_tables


def qkv(groups: int, t: int = 7, s: int = 7) -> list[torch.Tensor]:
    torch.manual_seed(0)
    return [torch.randn(2, h, n, 8, requires_grad=True) for h, n in ((4, t), (groups, s), (groups, s))]


@pytest.mark.parametrize("groups", [4, 2, 1])
@pytest.mark.parametrize("sizes", [(7, 7), (3, 7), (1, 7)])
def test_the_fused_path_equals_the_written_out_one_in_outputs_and_gradients(
    groups: int, sizes: tuple[int, int]
) -> None:
    plain, fast = qkv(groups, *sizes), qkv(groups, *sizes)
    a, b = reference_attention(*plain), fused_attention(*fast)
    torch.testing.assert_close(a, b)
    weight = torch.randn_like(a)
    (a * weight).sum().backward()
    (b * weight).sum().backward()
    for x, y in zip(plain, fast, strict=True):
        torch.testing.assert_close(x.grad, y.grad)


def test_both_paths_obey_a_given_mask() -> None:
    q, k, v = qkv(4)
    mask = torch.zeros(7, 7, dtype=torch.bool)
    mask[:, 2] = True  # everybody may see position 2 alone
    for attend in (reference_attention, fused_attention):
        torch.testing.assert_close(attend(q, k, v, mask), v[:, :, 2:3].expand_as(v))


def test_the_causal_mask_is_a_triangle_that_ends_at_the_last_source() -> None:
    assert causal_mask(2, 4, torch.device("cpu")).tolist() == [
        [True, True, True, False],
        [True, True, True, True],
    ]


def test_attention_equals_torch_multihead_attention_with_the_same_weights() -> None:
    torch.manual_seed(0)
    ours = Attention(32, 4, 4, 8, bias=True, qk_norm=False, norm_eps=1e-5, dropout=0.0, kernel="reference")
    peer = nn.MultiheadAttention(32, 4, batch_first=True)
    peer.load_state_dict(
        {
            "in_proj_weight": ours.qkv.weight,
            "in_proj_bias": ours.qkv.bias,
            "out_proj.weight": ours.out.weight,
            "out_proj.bias": ours.out.bias,
        }
    )
    x = torch.randn(2, 9, 32)
    expected, _ = peer(x, x, x, attn_mask=~causal_mask(9, 9, x.device), need_weights=False)
    torch.testing.assert_close(ours(x), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kernel", ["fused", "reference"])
def test_cross_attention_equals_torchs_and_a_cache_keeps_what_was_made_of_the_source(kernel: str) -> None:
    torch.manual_seed(0)
    ours = Attention(32, 4, 4, 8, bias=True, qk_norm=False, norm_eps=1e-5, dropout=0.0, kernel=kernel)
    peer = nn.MultiheadAttention(32, 4, batch_first=True)
    peer.in_proj_weight, peer.in_proj_bias, peer.out_proj = ours.qkv.weight, ours.qkv.bias, ours.out
    x, source = torch.randn(2, 5, 32), torch.randn(2, 9, 32)
    mask = torch.arange(9) < torch.tensor([[9], [4]])  # (B, S)
    expected, weights = peer(x, source, source, key_padding_mask=~mask, average_attn_weights=False)
    allowed = mask[:, None, None, :]
    torch.testing.assert_close(ours(x, mask=allowed, source=source), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ours.cross_weights(x, source, allowed), weights, atol=1e-5, rtol=1e-5)
    everything, _ = peer(x, source, source)
    torch.testing.assert_close(ours(x, source=source), everything, atol=1e-5, rtol=1e-5)
    cache = LayerCache()
    steps = [ours(x[:, t : t + 1], cache=cache, mask=allowed, source=source) for t in range(5)]
    torch.testing.assert_close(torch.cat(steps, dim=1), expected, atol=1e-5, rtol=1e-5)
    assert cache.length == 9


def test_weights_are_what_the_reference_multiplies_with() -> None:
    q, k, v = qkv(2)
    groups = v.repeat_interleave(2, dim=1)
    torch.testing.assert_close(attention_weights(q, k) @ groups, reference_attention(q, k, v))


@pytest.mark.parametrize("groups", [4, 2])
def test_copying_attention_adds_what_it_looks_at(groups: int) -> None:
    shape = {"bias": False, "qk_norm": False, "norm_eps": 1e-6, "dropout": 0.0, "kernel": "fused"}
    attention = Attention(32, 4, groups, 8, **shape)
    copy_attended(attention)
    x = torch.randn(1, 1, 32)  # alone it looks at itself
    copied = attention(x)
    if groups == 4:
        torch.testing.assert_close(copied, COPYING_GAIN * x)
    else:  # half the directions, each by two heads
        torch.testing.assert_close(attention(copied), 2 * COPYING_GAIN * copied)


def test_a_lookup_head_attends_to_what_followed_the_last_tokens_wherever_they_occurred() -> None:
    torch.manual_seed(0)
    shape = {"bias": False, "qk_norm": True, "norm_eps": 1e-6, "dropout": 0.0, "kernel": "reference"}
    attention = Attention(64, 1, 1, 64, **shape, lookup_heads=1, reach=3)
    copy_attended(attention)
    for distance in (5, 40):
        x = torch.randn(1, 60, 64)
        x[:, 57:] = x[:, 57 - distance : 60 - distance]  # the last three tokens occurred there before
        q, k, _ = attention.project(x, rotary_tables(60, 64, 10_000.0))
        assert attention_weights(q, k)[0, 0, -1].argmax() == 60 - distance  # what followed them
