"""A bad step is detected before the weights change, saved, and stops the training or is skipped."""

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning import Callback
from safetensors.torch import load_file

from foundling.artifacts import read_json
from foundling.data.language import LanguageData
from foundling.data.loading import BatchOrder
from foundling.data.shards import Source
from foundling.model.gpt import GPT
from foundling.scratch import list_checkpoints
from foundling.training import resume
from foundling.training.language import LanguageModule
from foundling.training.optim import adamw, trapezoid

STEPS = 10


class Tokens:
    train = [Source("circle", 1.0, np.arange(3000, dtype=np.uint16) % 10, 3000)]
    validation = [Source("circle", 1.0, np.arange(99, dtype=np.uint16) % 10, 99)]


class Spoiled(LanguageModule):
    """The loss of some batches is multiplied, or its gradient is."""

    def __init__(self, *arguments: Any, spoiled: dict[int, float], order: BatchOrder, gradient: bool) -> None:
        super().__init__(*arguments)
        self.spoiled, self.order, self.gradient = spoiled, order, gradient

    def loss(self, microbatch: Any, batch: Any) -> Any:
        loss, factor = (
            super().loss(microbatch, batch),
            self.spoiled.get(self.order.batch(self.global_step), 1.0),
        )
        return loss + 0 * (loss * factor) if self.gradient else loss * factor

    def on_after_backward(self) -> None:
        if self.gradient and self.order.batch(self.global_step) in self.spoiled:
            next(self.network.parameters()).grad[0] = torch.nan  # type: ignore[index]


class Killed(BaseException):
    """What ends a training without asking it."""


class Kill(Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_before_backward(self, trainer: Any, *_: Any) -> None:
        if trainer.global_step == self.step:
            raise Killed


@pytest.fixture
def train(
    fit: Callable[..., Any], gpt_config: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    monkeypatch.setattr(resume, "OVERHEAD", math.inf)

    def train(
        name: str,
        spoiled: dict[int, float],
        *extra: Callback,
        gradient: bool = False,
        accumulate: int = 1,
        **how: Any,
    ) -> tuple[dict[str, Any], Any]:
        torch.manual_seed(0)
        network = GPT(gpt_config("micro", vocab_size=10, context=16, dropout=0.1))
        data = LanguageData(Tokens(), 16, 8, STEPS, 1, workers=0)  # type: ignore[arg-type]
        optimizer = partial(adamw, lr=1e-3, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.0)
        made = (network, optimizer, trapezoid(STEPS, 5, 0.5, 0.0), data.validation_bytes)
        module = Spoiled(*made, spoiled=spoiled, order=data.order, gradient=gradient)
        often = {"log_every": 1, "checkpoint_every": 2, "checkpoint_seconds": 0, "validate_every": 5}
        faults = {"action": "stop", "spike": None, "window": 3, "most": 2, **how}
        recorder = fit(module, data, tmp_path / name, *extra, accumulate=accumulate, **often, **faults)
        return network.state_dict(), recorder

    return train


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_the_training_and_is_kept(
    train: Any, tmp_path: Path, value: float
) -> None:
    with pytest.raises(
        ValueError, match=rf"step 7: the loss is {value} and .* set faults.action=skip in this stage"
    ):
        train("bad", {6: value}, accumulate=2)
    place = tmp_path / "bad/fault/step-00000007"
    note = read_json(place / "fault.json")
    assert (note["step"], note["batch"], note["loss"]) == (7, 6, str(value))
    assert len(note["losses_before"]) == 3
    assert {"embedding.weight"} & set(note["grad_norms"]) or len(note["grad_norms"]) > 5
    kept = load_file(place / "batch.safetensors")
    data = LanguageData(Tokens(), 16, 8, STEPS, 1, workers=0)  # type: ignore[arg-type]
    for i, tensor in enumerate(data.training[6]):
        assert torch.equal(kept[str(i)], tensor)
    rows = (tmp_path / "bad/train.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == list("123456")  # no bad step was taken
    assert len(list_checkpoints(tmp_path / "bad")) == 2


def test_a_gradient_that_is_no_number_stops_it_too(train: Any) -> None:
    with pytest.raises(
        ValueError, match=r"step 4: the loss is [12].* gradient's norm nan \(the loss before was [12]"
    ):
        train("bad", {3: 1.0}, gradient=True)


def test_a_jump_of_the_loss_stops_it_where_that_is_asked_for(train: Any) -> None:
    train("fine", {6: 5.0})
    train("early", {1: 5.0}, spike=3.0)  # there is no median of three losses yet
    with pytest.raises(ValueError, match="step 7: the loss is 1"):
        train("bad", {6: 5.0}, spike=3.0)


def test_off_looks_at_nothing(train: Any) -> None:
    weights, _ = train("bad", {8: float("nan")}, action="off")
    assert not torch.isfinite(next(iter(weights.values()))).all()


@pytest.mark.parametrize("bad", [0, 1, 6, 9])
def test_a_skipped_batch_has_no_effect_on_the_result(train: Any, tmp_path: Path, bad: int) -> None:
    weights, recorder = train("bad", {bad: float("nan")}, action="skip")
    assert recorder.skipped == [bad]
    rows = (tmp_path / "bad/train.csv").read_text().splitlines()
    assert [int(row.split(",")[0]) for row in rows[1:]] == list(range(1, STEPS + 1))
    # another batch in its place is all that differs: spoiling it anew once it is out changes nothing
    again, _ = train("again", {bad: float("inf")}, action="skip")
    assert all(torch.equal(weights[name], again[name]) for name in weights)


@pytest.mark.parametrize("kill", [4, 6, 8])
def test_skip_and_a_kill_end_in_the_same_bytes_as_skip_alone(train: Any, tmp_path: Path, kill: int) -> None:
    weights, recorder = train("whole", {5: float("nan"), 8: float("nan")}, action="skip")
    assert recorder.skipped == [5, 8]
    with pytest.raises(Killed):
        train("broken", {5: float("nan"), 8: float("nan")}, Kill(kill), action="skip")
    again, recorder = train("broken", {5: float("nan"), 8: float("nan")}, action="skip")
    assert recorder.skipped == [5, 8]
    assert all(torch.equal(weights[name], again[name]) for name in weights)
    assert (tmp_path / "whole/train.csv").read_bytes() == (tmp_path / "broken/train.csv").read_bytes()


def test_a_stopped_training_resumes_with_skip_as_if_it_had_skipped_from_the_start(train: Any) -> None:
    weights, _ = train("whole", {6: float("nan")}, action="skip")
    with pytest.raises(ValueError, match="step 7"):
        train("broken", {6: float("nan")})
    again, recorder = train("broken", {6: float("nan")}, action="skip")
    assert recorder.skipped == [6]
    assert all(torch.equal(weights[name], again[name]) for name in weights)


def test_skip_gives_up_when_too_many_batches_are_bad(train: Any) -> None:
    says = r"step 3: .*2 batches were skipped before; increase faults.most .*, or choose a lower"
    with pytest.raises(ValueError, match=says):
        train("bad", dict.fromkeys(range(2, 99), float("nan")), action="skip")


def test_an_order_leaves_batches_out_and_begins_anywhere() -> None:
    order = BatchOrder(6)
    assert list(order) == list(range(6))
    order.skipped = {1, 4}
    assert list(order) == [0, 2, 3, 5, 6, 7]
    order.first = 4
    assert list(order) == [6, 7]
    assert len(order) == 2
    assert [order.batch(step) for step in range(6)] == [0, 2, 3, 5, 6, 7]
