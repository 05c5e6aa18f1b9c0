"""The maps are the weights with which the model attends."""

import pytest
import torch

from foundling.model.attention_maps import attention_maps
from foundling.model.gpt import GPT


@pytest.mark.parametrize(
    "changes",
    [{}, {"n_kv_head": 1, "position": "learned", "qk_norm": False, "convolution": 0, "lookup_heads": 0}],
)
def test_maps_are_causal_weights_and_give_the_layers_own_output(gpt_config, changes: dict) -> None:
    torch.manual_seed(0)
    model = GPT(gpt_config("micro", init="gpt2", **changes)).eval()
    ids = torch.randint(50, (3, 9))
    logits = model(ids)
    seen: list[torch.Tensor] = []
    first = model.blocks[0].attention
    handle = first.out.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    maps = attention_maps(model, ids)
    handle.remove()
    assert maps.shape == (2, 3, 2, 9, 9)
    torch.testing.assert_close(maps.sum(-1), torch.ones(2, 3, 2, 9))
    assert not maps.triu(1).any()
    # the first layer's weights over its values are what goes to its output projection
    x = model.token_embedding(ids)
    x = x + model.position_embedding.weight[:9] if changes else model.blocks[0].convolution(x)
    _, _, v = first._split_heads(first.qkv(model.blocks[0].attention_norm(x)), first.head_counts)
    mixed = maps[0].clone() @ v.repeat_interleave(2 // v.size(1), dim=1)
    torch.testing.assert_close(mixed.transpose(1, 2).flatten(2), seen[0])
    torch.testing.assert_close(model(ids), logits)  # and the model attends as before
    assert all(block.attention.attend.__name__ == "fused_attention" for block in model.blocks)


def test_conv_layers_have_no_map(gpt_config) -> None:
    model = GPT(gpt_config("lfm2")).eval()
    maps = attention_maps(model, torch.randint(50, (3, 9)))
    assert maps.shape == (model.config.n_attention, 3, 4, 9, 9)


def test_a_failed_forward_pass_leaves_the_model_as_it_was(gpt_config) -> None:
    model = GPT(gpt_config("micro"))
    with pytest.raises(ValueError, match="context of 64"):
        attention_maps(model, torch.zeros(1, 65, dtype=torch.long))
    assert all(block.attention.attend.__name__ == "fused_attention" for block in model.blocks)
