from collections.abc import Callable
from typing import Any

import pytest
import torch

from foundling.model.gpt import GPT
from foundling.training.optim import adamw, cosine, inverse_sqrt, muon, orthogonalize, trapezoid

SETTINGS = {
    "lr": 0.02,
    "momentum": 0.95,
    "weight_decay": 0.1,
    "adamw_lr": 0.01,
    "adamw_betas": (0.9, 0.95),
    "adamw_eps": 1e-8,
    "adamw_weight_decay": 0.1,
}


@pytest.mark.parametrize("shape", [(3, 16, 16), (2, 8, 32), (2, 32, 8)])
def test_orthogonalising_brings_all_singular_values_near_one(shape: tuple[int, int, int]) -> None:
    updates = orthogonalize(torch.randn(shape, generator=torch.Generator().manual_seed(0)))
    values = torch.linalg.svdvals(updates)
    assert 0.5 < values.min()
    assert values.max() < 1.3


def test_muon_equals_torchs_muon_and_adamw_over_some_steps(gpt_config: Callable[..., Any]) -> None:
    torch.manual_seed(0)
    ours = GPT(gpt_config("micro"))
    theirs = GPT(ours.config)
    theirs.load_state_dict(ours.state_dict())
    matrices = [
        p
        for n, p in theirs.named_parameters()
        if p.ndim == 2 and "blocks" in n and not {"convolution", "blend"}.intersection(n.split("."))
    ]
    rest = [p for p in theirs.parameters() if not any(p is m for m in matrices)]
    mine = muon(ours, **SETTINGS)
    peers = [
        torch.optim.Muon(matrices, lr=0.02, momentum=0.95, weight_decay=0.1, adjust_lr_fn="original"),
        torch.optim.AdamW(rest, lr=0.01, betas=(0.9, 0.95), weight_decay=0.1),
    ]
    for step in range(3):
        gradients = [
            torch.randn(p.shape, generator=torch.Generator().manual_seed(step)) for p in ours.parameters()
        ]
        for network, optimizers in ((ours, [mine]), (theirs, peers)):
            for p, gradient in zip(network.parameters(), gradients, strict=True):
                p.grad = gradient.clone()
            for optimizer in optimizers:
                optimizer.step()
    for (name, a), b in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=2e-3, rtol=0, msg=name)  # torch iterates in bfloat16


def test_every_parameter_is_in_one_group_and_only_matrices_decay(gpt_config: Callable[..., Any]) -> None:
    network = GPT(gpt_config("qwen3"))
    for optimizer in (adamw(network, 1e-3, (0.9, 0.99), 1e-8, 0.1), muon(network, **SETTINGS)):
        grouped = [id(p) for group in optimizer.param_groups for p in group["params"]]
        assert sorted(grouped) == sorted(id(p) for p in network.parameters())
    decays = {
        id(p): g["weight_decay"]
        for g in adamw(network, 1e-3, (0.9, 0.99), 1e-8, 0.1).param_groups
        for p in g["params"]
    }
    assert decays[id(network.token_embedding.weight)] == 0.1
    assert decays[id(network.norm.weight)] == 0.0


def test_an_optimizers_state_survives_saving_and_loading(gpt_config: Callable[..., Any]) -> None:
    def after(steps: int, reload_at: int | None) -> list[torch.Tensor]:
        torch.manual_seed(0)
        network = GPT(gpt_config("micro"))
        optimizer = muon(network, **SETTINGS)
        for step in range(steps):
            if step == reload_at:
                state = optimizer.state_dict()
                optimizer = muon(network, **SETTINGS)
                optimizer.load_state_dict(state)
            for i, p in enumerate(network.parameters()):
                p.grad = torch.randn(p.shape, generator=torch.Generator().manual_seed(100 * step + i))
            optimizer.step()
        return list(network.parameters())

    for a, b in zip(after(4, None), after(4, 2), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(
    "schedule", [cosine(100, 10, 0.1), trapezoid(100, 10, 0.5, 0.1)], ids=["cosine", "trapezoid"]
)
def test_schedules_rise_to_the_peak_and_fall_to_the_final_share(schedule: Callable[[int], float]) -> None:
    factors = [schedule(step) for step in range(101)]
    assert factors[0] == pytest.approx(0.1)
    assert max(factors) == pytest.approx(1.0)
    assert factors[100] == pytest.approx(0.1)
    top = factors.index(max(factors))
    assert factors[: top + 1] == sorted(factors[: top + 1])
    assert factors[top:] == sorted(factors[top:], reverse=True)


def test_the_trapezoid_without_decay_stays_at_its_peak() -> None:
    assert trapezoid(100, 10, 0.0, 1.0)(99) == 1.0


def test_the_papers_schedule_times_its_peak_is_its_equation() -> None:
    width, warmup = 512, 4000
    peak, schedule = (width * warmup) ** -0.5, inverse_sqrt(100_000, warmup)
    for step in (1, 2, 3999, 4000, 4001, 100_000):
        expected = width**-0.5 * min(step**-0.5, step * warmup**-1.5)  # Vaswani et al. 2017, eq. 3
        assert peak * schedule(step - 1) == pytest.approx(expected)
    assert inverse_sqrt(10, 0)(3) == pytest.approx(0.5)
