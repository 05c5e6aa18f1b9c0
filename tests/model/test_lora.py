from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from foundling.model import lora
from foundling.model.gpt import GPT
from foundling.settings.training import Lora
from foundling.validation import build

TARGETS = ["attention.qkv", "attention.out", "mlp.up", "mlp.out"]


@pytest.fixture(params=["micro", "char", "llama"])
def model(request: pytest.FixtureRequest, gpt_config: Callable[..., Any]) -> GPT:
    torch.manual_seed(0)
    gpt = GPT(gpt_config(request.param, context=24, n_layer=2)).eval()
    for p in gpt.parameters():
        nn.init.normal_(p, std=0.1)
    return gpt


def wrap(model: nn.Module, seed: int = 1, **changes: Any) -> list[nn.Parameter]:
    values = {"targets": TARGETS, "rank": 4, "alpha": 8.0, "dropout": 0.0} | changes
    return lora.wrap(model, build(Lora, values, "lora"), seed)


IDS = torch.arange(20).view(1, 20)


def trained(model: GPT, steps: int = 5) -> None:
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.05)
    for _ in range(steps):
        optimizer.zero_grad()
        model(IDS).logsumexp(-1).mean().backward()
        optimizer.step()


def test_a_wrapped_network_begins_as_the_one_it_wraps(model: GPT) -> None:
    before = model(IDS)
    wrap(model)
    torch.testing.assert_close(model(IDS), before)


def test_only_the_low_rank_matrices_are_trained(model: GPT) -> None:
    left = wrap(model)
    names = {name.rpartition(".")[2] for name, p in model.named_parameters() if p.requires_grad}
    assert names == {"down", "up"}
    assert len(left) == 2 * 2 * len(TARGETS)
    assert {tuple(p.shape)[0 if p.shape[0] == 4 else 1] for p in left} == {4}
    frozen = {name: p.clone() for name, p in model.named_parameters() if not p.requires_grad}
    trained(model)
    assert all(torch.equal(dict(model.named_parameters())[name], value) for name, value in frozen.items())


def test_merged_equals_wrapped_and_has_the_plain_networks_names(model: GPT) -> None:
    names, untouched = list(model.state_dict()), model(IDS)
    wrap(model)
    trained(model)
    with torch.no_grad():
        wrapped = model(IDS)
        assert (wrapped - untouched).abs().max() > 0.1
        lora.merge(model)
        torch.testing.assert_close(model(IDS), wrapped, atol=1e-5, rtol=1e-5)
    assert list(model.state_dict()) == names
    assert not list(lora.wrapped(model))
    trainable = {name for name, p in model.named_parameters() if p.requires_grad}
    assert trainable == {n for n in names if any(f".{target}." in n for target in TARGETS)}


def test_with_last_the_blocks_below_stay_frozen_also_after_the_merge(gpt_config: Callable[..., Any]) -> None:
    model = GPT(gpt_config("llama", context=24, n_layer=3))
    wrap(model, last=2)
    assert {name.split(".")[1] for name, _ in lora.wrapped(model)} == {"1", "2"}
    assert model.frozen_blocks == 1
    trained(model)
    expected = model(IDS)
    lora.merge(model)
    assert model.frozen_blocks == 1
    torch.testing.assert_close(model.hidden_from(model.hidden_after(IDS, 1), 1), model.hidden(IDS))
    torch.testing.assert_close(model(IDS), expected, atol=1e-5, rtol=1e-5)


def test_it_equals_the_formula(model: GPT) -> None:
    layer = nn.Linear(6, 5)
    wrapped = lora.LoRALinear(layer, rank=2, alpha=6.0, dropout=0.0)
    nn.init.normal_(wrapped.up)
    x = torch.randn(3, 6)
    expected = x @ (layer.weight + 3.0 * wrapped.up @ wrapped.down).T + layer.bias
    torch.testing.assert_close(wrapped(x), expected)


def test_dropout_falls_on_the_difference_alone() -> None:
    wrapped = lora.LoRALinear(nn.Linear(6, 5), rank=2, alpha=2.0, dropout=0.9).train()
    x = torch.randn(50, 6)
    torch.testing.assert_close(wrapped(x), wrapped.base(x))  # up is zero
    nn.init.normal_(wrapped.up)
    assert not torch.equal(wrapped(x), wrapped(x))
    wrapped.eval()
    assert torch.equal(wrapped(x), wrapped(x))


def test_equal_seeds_begin_alike(gpt_config: Callable[..., Any]) -> None:
    def drawn(seed: int) -> list[torch.Tensor]:
        torch.manual_seed(0)
        return wrap(GPT(gpt_config()), seed)

    one, same, other = drawn(1), drawn(1), drawn(2)
    assert all(torch.equal(a, b) for a, b in zip(one, same, strict=True))
    assert not torch.equal(one[0], other[0])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"targets": ["qvk"]},
            r"lora\.targets='qvk': must be a linear layer, one of attention\.qkv, attention\.out",
        ),
        ({"targets": []}, "lora.targets is empty"),
        ({"last": 3}, "lora.last=3: must be at most 2, the number of the base's blocks"),
        ({"rank": 0}, "lora.rank=0: must be at least 1"),
        ({"alpha": 0.0}, "lora.alpha=0.0: must be above 0"),
        ({"dropout": 1.0}, "lora.dropout=1.0: must be below 1"),
    ],
)
def test_settings_that_mean_nothing_are_refused(model: GPT, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        wrap(model, **changes)
