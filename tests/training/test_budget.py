"""Timing a network leaves no trace; what will not fit or takes too long causes a one-line warning."""

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch

from foundling.model.gpt import GPT
from foundling.training import budget
from foundling.training.calibration import Speed, measure
from foundling.training.optim import adamw

ADAMW = partial(adamw, lr=1e-3, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.1)


@pytest.fixture
def network(gpt_config: Callable[..., Any]) -> GPT:
    torch.manual_seed(0)
    return GPT(gpt_config("micro", dropout=0.1, context=16))


def test_measuring_trains_and_leaves_the_random_numbers_as_they_were(network: GPT) -> None:
    before, state = network.norm.weight.clone(), torch.get_rng_state()
    batch = {"batch_size": 4, "accumulate": 2, "gradient_clip": 1.0, "precision": "32-true"}
    speed = measure(network, ADAMW, seconds=0, min_steps=3, **batch)
    assert speed.steps == 3
    assert speed.seconds > 0
    assert not torch.equal(network.norm.weight, before)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.fixture
def warned(caplog: pytest.LogCaptureFixture, network: GPT, settings: Any) -> Callable[..., str]:
    """The warnings about a pretraining of so many steps."""

    def warn(max_steps: int = 100, budget_hours: float | None = 24) -> str:
        pretrain = replace(settings.pretrain, max_steps=max_steps, batch_size=8, accumulate=2)
        runtime = replace(settings.runtime, budget_hours=budget_hours)
        with caplog.at_level(logging.WARNING):
            budget.warn(network, ADAMW, pretrain, runtime, torch.device("cpu"))
        return "\n".join(caplog.messages)

    return warn


def test_a_run_within_its_means_is_not_spoken_of_and_not_touched(
    network: GPT, warned: Callable[..., str]
) -> None:
    before = {name: t.clone() for name, t in network.state_dict().items()}
    assert warned() == ""
    assert all(torch.equal(t, before[name]) for name, t in network.state_dict().items())
    assert all(p.grad is None for p in network.parameters())


def test_a_run_that_takes_too_long_is_announced(
    network: GPT, warned: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "measure", lambda *_, **__: Speed(60.0, 1))
    said = warned(3000)
    assert said.startswith(
        "pretrain: 3,000 steps will take about 50 hours, more than runtime.budget_hours=24;"
    )


def test_without_a_budget_nothing_is_timed(
    network: GPT, warned: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "measure", lambda *_, **__: pytest.fail("timed"))
    assert warned(10**9, None) == ""
    assert warned(0) == ""


@pytest.mark.parametrize(
    ("windows", "says"),
    [(1.5, r"try pretrain.accumulate=8, which computes the same"), (0.5, "choose a smaller model")],
)
def test_a_training_that_exceeds_memory_gets_a_warning_with_the_microbatches_that_fit(
    network: GPT, warned: Callable[..., str], monkeypatch: pytest.MonkeyPatch, windows: float, says: str
) -> None:
    import re

    from foundling.costs import activation_bytes, state_bytes

    shape = network.config
    state = sum(state_bytes(shape, "muon", "32-true").values())
    free = state + windows * activation_bytes(shape, shape.context, "32-true", False)
    monkeypatch.setattr(budget, "free_memory", lambda: free)
    said = warned()
    assert re.search(rf"needs about 0\.0 GiB of memory, but only 0\.0 GiB are free; {says}", said), said
