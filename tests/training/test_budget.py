"""Timing a network leaves no trace; what will not fit or takes too long causes a one-line warning."""

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from foundling.data.language import LanguageData
from foundling.data.shards import Source
from foundling.model.gpt import GPT
from foundling.training import budget
from foundling.training.calibration import measure
from foundling.training.language import LanguageModule
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
    """The warnings about the memory of a pretraining of so many steps."""

    def warn(max_steps: int = 100) -> str:
        pretrain = replace(settings.pretrain, max_steps=max_steps, batch_size=8, accumulate=2)
        with caplog.at_level(logging.WARNING):
            budget.warn_of_memory(network, pretrain, settings.runtime, torch.device("cpu"))
        return "\n".join(caplog.messages)

    return warn


def test_a_run_within_its_means_is_not_spoken_of(warned: Callable[..., str]) -> None:
    assert warned() == ""
    assert warned(0) == ""


@pytest.mark.parametrize(
    ("hours", "says"),
    [
        (24, ["pretrain: 3,000 steps will take about 50 hours, more than runtime.budget_hours=24;"]),
        (51, []),
        (None, []),
    ],
)
def test_a_run_that_takes_too_long_is_told_once_after_its_first_steps(
    hours: float | None, says: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A step takes a minute; the first took an hour, and is not counted."""
    clock = iter([3600.0 + 60 * step for step in range(10)])
    monkeypatch.setattr(budget.time, "perf_counter", lambda: next(clock))
    callback = budget.TimeBudget(hours, 3000)
    said = []
    for _ in range(9):
        callback.on_train_batch_end(None, None, None, None, 0)  # type: ignore[arg-type]
        said.append(list(caplog.messages))
    assert said[2] == []
    assert len(said[-1]) == len(says)
    assert all(line.startswith(start) for line, start in zip(said[-1], says, strict=True))
    assert said[3] == said[-1]


def test_a_training_whose_steps_take_too_long_goes_on(
    network: GPT, fit: Callable[..., Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ids = np.random.default_rng(0).integers(0, 50, 500).astype(np.uint16)
    text = [Source("text", 1.0, ids, 500)]
    data = LanguageData(SimpleNamespace(train=text, validation=text), 16, 2, 6, 1, workers=0)  # type: ignore[arg-type]
    module = LanguageModule(network, ADAMW, lambda step: 1.0, validation_bytes=500)
    fit(module, data, tmp_path, budget.TimeBudget(0.0, 6))
    assert [line for line in caplog.messages if "6 steps will take about" in line]
    assert module.validation["step"] == 6


@pytest.mark.parametrize(
    ("windows", "says"),
    [(1.5, r"try pretrain.accumulate=8, which computes the same"), (0.5, "choose a smaller model")],
)
def test_a_training_that_exceeds_memory_gets_a_warning_with_the_microbatches_that_fit(
    network: GPT, warned: Callable[..., str], monkeypatch: pytest.MonkeyPatch, windows: float, says: str
) -> None:
    import re

    from foundling.memory import activation_bytes, state_bytes

    shape = network.config
    state = sum(state_bytes(shape, "muon", "32-true").values())
    free = state + windows * activation_bytes(shape, shape.context, "32-true")
    monkeypatch.setattr(budget, "free_memory", lambda: free)
    said = warned()
    assert re.search(rf"needs about 0\.0 GiB of memory, but only 0\.0 GiB are free; {says}", said), said
