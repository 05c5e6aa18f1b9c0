from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from foundling.data.language import LanguageData
from foundling.data.shards import Source
from foundling.model.gpt import GPT
from foundling.model.loss import IGNORE_INDEX
from foundling.training.language import LanguageModule
from foundling.training.optim import adamw, trapezoid

Make = Callable[..., Any]


class TinyTokens:
    """A text that counts up in circles, so that the next token is certain."""

    train = [Source("circle", 1.0, np.arange(3000, dtype=np.uint16) % 10, 3000)]
    validation = [Source("circle", 1.0, np.arange(207, dtype=np.uint16) % 10, 207)]


def trained(
    fit: Make,
    make: Make,
    folder: Path,
    steps: int = 30,
    workers: int = 0,
    batch_size: int = 8,
    dropout: float = 0.0,
    **changes: Any,
) -> tuple[LanguageModule, Any]:
    torch.manual_seed(0)
    network = GPT(make("micro", vocab_size=10, context=16, dropout=dropout))
    data = LanguageData(TinyTokens(), 16, batch_size, steps, 1, workers)  # type: ignore[arg-type]
    optimizer = partial(adamw, lr=1e-2, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.0)
    module = LanguageModule(network, optimizer, trapezoid(steps, 5, 0.5, 0.0), data.validation_bytes)
    return module, fit(module, data, folder, log_every=2, **changes)


def rows(file: Path) -> list[list[float]]:
    return [[float(x) for x in line.split(",")] for line in file.read_text().splitlines()[1:]]


def test_on_the_cpu_it_does_not_touch_the_gpu_that_is_there(
    fit: Make, gpt_config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def touch(*_: Any) -> None:
        raise AssertionError("CUDA was initialised")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "_lazy_init", touch)
    module, _ = trained(fit, gpt_config, tmp_path, steps=2, precision="auto")
    assert module.trainer.precision == "32-true"
    assert module.trainer.strategy.root_device == torch.device("cpu")


def test_it_learns_and_leaves_its_curves(fit: Make, gpt_config: Make, tmp_path: Path) -> None:
    module, recorder = trained(fit, gpt_config, tmp_path, steps=60)
    assert module.validation["val/loss"] < 0.1
    assert module.validation["step"] == 60
    curve = rows(tmp_path / "train.csv")
    assert [row[0] for row in curve] == [1, *range(2, 61, 2)]
    assert curve[-1][1] == 60 * 8 * 16
    assert curve[-1][2] < curve[0][2]
    assert [row[0] for row in rows(tmp_path / "validation.csv")] == [10, 20, 30, 40, 50, 60]
    assert recorder.tokens_per_second > 0


def test_validation_covers_the_whole_split_and_counts_bits_per_byte(
    fit: Make, gpt_config: Make, tmp_path: Path
) -> None:
    module, _ = trained(fit, gpt_config, tmp_path, steps=7)
    ids = torch.from_numpy(TinyTokens.validation[0].ids.astype(np.int64))
    nats, count = 0.0, 0
    with torch.no_grad():
        for start in range(0, len(ids) - 1, 16):
            window = ids[start : start + 17]
            logits = module.network(window[None, :-1])[0]
            nats += torch.nn.functional.cross_entropy(logits, window[1:], reduction="sum").item()
            count += len(window) - 1
    assert count == len(ids) - 1
    assert module.validation["step"] == 7  # not a multiple of validate_every, and validated all the same
    assert module.validation["val/loss"] == pytest.approx(nats / count, rel=1e-5)
    assert module.validation["val/bits_per_byte"] == pytest.approx(nats / np.log(2) / 207, rel=1e-5)


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_equal_seeds_give_equal_weights_to_the_bit(
    fit: Make, gpt_config: Make, tmp_path: Path, dropout: float
) -> None:
    first, second = (
        trained(fit, gpt_config, tmp_path / n, 10, dropout=dropout)[0].network.state_dict() for n in "ab"
    )
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_accumulation_changes_nothing_but_the_rounding(fit: Make, gpt_config: Make, tmp_path: Path) -> None:
    whole, cut = (trained(fit, gpt_config, tmp_path / str(n), 20, accumulate=n)[0] for n in (1, 4))
    assert whole.validation["val/loss"] == pytest.approx(cut.validation["val/loss"], abs=1e-4)
    a, b = rows(tmp_path / "1/train.csv"), rows(tmp_path / "4/train.csv")
    assert [r[0] for r in a] == [r[0] for r in b]
    np.testing.assert_allclose([r[2] for r in a], [r[2] for r in b], atol=1e-4)


@pytest.mark.parametrize(("accumulate", "workers"), [(2, 0), (1, 2), (2, 2)])
def test_cutting_a_batch_of_16_and_preparing_it_elsewhere_change_no_loss_by_more_than_1e_5(
    fit: Make, gpt_config: Make, tmp_path: Path, accumulate: int, workers: int
) -> None:
    how = {"steps": 12, "batch_size": 16, "validate_every": 6}
    whole, _ = trained(fit, gpt_config, tmp_path / "whole", **how)
    cut, _ = trained(fit, gpt_config, tmp_path / "cut", accumulate=accumulate, workers=workers, **how)
    assert whole.validation["val/loss"] == pytest.approx(cut.validation["val/loss"], abs=1e-5)
    for name in ("train.csv", "validation.csv"):
        losses = [[row[2] for row in rows(tmp_path / run / name)] for run in ("whole", "cut")]
        np.testing.assert_allclose(*losses, atol=1e-5)
    if accumulate == 1:
        assert all(
            torch.equal(a, b) for a, b in zip(*(m.network.parameters() for m in (whole, cut)), strict=True)
        )


def test_sparing_the_head_where_nothing_counts_changes_no_loss_and_no_gradient(
    gpt_config: Callable[..., Any],
) -> None:
    torch.manual_seed(0)
    network = GPT(gpt_config("micro", vocab_size=10, context=16))
    for p in network.parameters():
        torch.nn.init.normal_(p, std=0.3)
    ids, targets = torch.randint(10, (2, 3, 12))
    targets[:, :7] = IGNORE_INDEX
    segments = torch.arange(12).div(6, rounding_mode="floor").expand(3, 12)
    optimizer = partial(adamw, lr=1e-2, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.0)
    for batch in ((ids, targets), (ids, targets, segments)):
        found = []
        for masked in (False, True):
            module = LanguageModule(network, optimizer, trapezoid(9, 1, 0.5, 0.0), 1, masked)
            loss = module.loss(batch, batch)
            found.append(
                [loss.detach(), *torch.autograd.grad(loss, list(network.parameters()), allow_unused=True)]
            )
        for plain, spared in zip(*found, strict=True):
            torch.testing.assert_close(plain, spared)
