"""If memory runs out, a batch is computed in microbatches with the same result, or the error says what would
fit.

A network that raises torch's error above a number of rows simulates a full memory.
"""

import gc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from lightning import Callback
from torch import Tensor, nn

from foundling.data.language import LanguageData
from foundling.data.shards import Source
from foundling.model.classifier import Classifier
from foundling.model.config import ClassifierConfig
from foundling.model.gpt import GPT
from foundling.model.loss import IGNORE_INDEX
from foundling.training.classification import ClassificationModule
from foundling.training.language import LanguageModule
from foundling.training.module import TrainingModule
from foundling.training.optim import adamw, trapezoid

Make = Callable[..., Any]

SCHEDULE = trapezoid(4, 1, 0.5, 0.0)
FULL = "CUDA out of memory. Tried to allocate 2.00 GiB"


class Tokens:
    """A text that counts up in circles."""

    train = [Source("circle", 1.0, np.arange(3000, dtype=np.uint16) % 10, 3000)]
    validation = [Source("circle", 1.0, np.arange(40, dtype=np.uint16) % 10, 40)]


class _FullBackward(torch.autograd.Function):
    """The memory runs out on the way back, as it mostly does."""

    @staticmethod
    def forward(context: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(context: Any, *gradients: Any) -> Any:
        raise torch.OutOfMemoryError(FULL)


class Small(GPT):
    """A GPT in a memory of `most` rows, which runs out in the pass `when`."""

    most, when = 99, "forward"

    def hidden(self, ids: Tensor, *arguments: Any, **more: Any) -> Tensor:
        if self.training and len(ids) > self.most:
            if self.when == "forward":
                raise torch.OutOfMemoryError(FULL)
            return _FullBackward.apply(super().hidden(ids, *arguments, **more))
        return super().hidden(ids, *arguments, **more)


def trained(fit: Make, make: Make, folder: Path, most: int, when: str = "forward", **changes: Any) -> Any:
    torch.manual_seed(0)
    network = Small(make("micro", vocab_size=10, context=16))
    network.most, network.when = most, when
    data = LanguageData(Tokens(), 16, 8, 4, 1, workers=0)  # type: ignore[arg-type]
    optimizer = partial(adamw, lr=1e-2, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.0)
    module = LanguageModule(network, optimizer, SCHEDULE, data.validation_bytes)
    fit(module, data, folder, **{"log_every": 1, "batch": "auto", "validate_every": 4, **changes})
    return module


def curve(folder: Path) -> np.ndarray:
    return np.loadtxt(folder / "train.csv", delimiter=",", skiprows=1)


@pytest.mark.parametrize("when", ["forward", "backward"])
@pytest.mark.parametrize(("most", "parts"), [(7, 2), (3, 4), (1, 8)])
def test_auto_finds_the_microbatches_that_fit_and_computes_the_same(
    fit: Callable[..., Any],
    gpt_config: Callable[..., Any],
    tmp_path: Path,
    most: int,
    parts: int,
    when: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    whole = trained(fit, gpt_config, tmp_path / "whole", 99)
    cut = trained(fit, gpt_config, tmp_path / "cut", most, when)
    assert (whole.microbatches, cut.microbatches) == (1, parts)
    np.testing.assert_allclose(curve(tmp_path / "whole"), curve(tmp_path / "cut"), rtol=2e-4)
    assert whole.validation["val/loss"] == pytest.approx(cut.validation["val/loss"], abs=1e-4)
    told = [record.getMessage() for record in caplog.records if "rows at once" in record.getMessage()]
    assert len(told) == 1
    assert (
        f"computed in {parts} microbatches of at most {8 // parts} rows, with the same tokens per step"
        in told[0]
    )


@pytest.mark.parametrize("when", ["forward", "backward"])
def test_fixed_stops_with_the_size_that_would_fit(
    fit: Make, gpt_config: Make, tmp_path: Path, when: str
) -> None:
    with pytest.raises(ValueError, match=r"the batch's 8 rows at once, but 2 rows fit: set runtime\.batch"):
        trained(fit, gpt_config, tmp_path, 3, when, batch="fixed")


@pytest.mark.parametrize("when", ["forward", "backward"])
def test_where_no_row_fits_the_fix_is_another_model(
    fit: Make, gpt_config: Make, tmp_path: Path, when: str
) -> None:
    with pytest.raises(
        ValueError, match=r"a single one of the batch's 8 rows \(16 tokens\); choose a smaller"
    ):
        trained(fit, gpt_config, tmp_path, 0, when)


def test_accumulated_batches_are_split_too(fit: Make, gpt_config: Make, tmp_path: Path) -> None:
    whole = trained(fit, gpt_config, tmp_path / "whole", 99, accumulate=2)
    cut = trained(fit, gpt_config, tmp_path / "cut", 2, "backward", accumulate=2)
    assert cut.microbatches == 4
    np.testing.assert_allclose(curve(tmp_path / "whole"), curve(tmp_path / "cut"), rtol=2e-4)
    assert whole.validation["val/loss"] == pytest.approx(cut.validation["val/loss"], abs=1e-4)


def test_another_error_is_not_taken_for_a_full_memory(fit: Make, gpt_config: Make, tmp_path: Path) -> None:
    class Broken(Small):
        def hidden(self, *arguments: Any, **more: Any) -> Tensor:
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    network = Broken(gpt_config("micro", vocab_size=10, context=16))
    data = LanguageData(Tokens(), 16, 8, 4, 1, workers=0)  # type: ignore[arg-type]
    module = LanguageModule(
        network, partial(adamw, lr=1e-2, betas=(0.9, 0.9), eps=1e-8, weight_decay=0.0), SCHEDULE, 40
    )
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        fit(module, data, tmp_path)


def shares(module: TrainingModule, batch: tuple[Tensor, ...], parts: int) -> tuple[Tensor, list[Tensor]]:
    """The loss and the gradients of a batch in so many parts."""
    module.zero_grad()
    cut = [batch] if parts == 1 else list(zip(*(torch.tensor_split(t, parts) for t in batch), strict=True))
    losses = [module.loss(part, batch) for part in cut]
    total = torch.stack(losses).sum()
    total.backward()
    network: Any = module.network
    return total.detach(), [p.grad.clone() for p in network.parameters() if p.grad is not None]


@pytest.mark.parametrize("parts", [2, 3, 5])
@pytest.mark.parametrize("weights", [None, torch.tensor([0.5, 3.0, 1.0])])
def test_texts_of_unequal_length_and_weight_add_up(
    gpt_config: Callable[..., Any], parts: int, weights: Tensor | None
) -> None:
    torch.manual_seed(0)
    network = Classifier(ClassifierConfig(gpt_config("micro", vocab_size=20), ("a", "b", "c"), "end"))
    nn.init.normal_(network.head.weight)
    rates = {"head_rate": 1.0, "language_loss": 0.7, "label_smoothing": 0.1}
    module = ClassificationModule(network, len, len, **rates, class_weights=weights)  # type: ignore[arg-type]
    lengths = torch.tensor([3, 9, 5, 2, 7])
    batch = (torch.randint(20, (5, 9)), lengths, torch.tensor([0, 1, 2, 1, 0]))
    whole, cut = shares(module, batch, 1), shares(module, batch, parts)
    torch.testing.assert_close(whole[0], cut[0])
    for one, other in zip(whole[1], cut[1], strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("masked", [False, True])
def test_answers_of_unequal_length_add_up(gpt_config: Callable[..., Any], masked: bool) -> None:
    torch.manual_seed(0)
    network = GPT(gpt_config("micro", vocab_size=20))
    module = LanguageModule(network, len, len, 1, masked=masked)  # type: ignore[arg-type]
    ids, targets = torch.randint(20, (2, 5, 9))
    for row, length in enumerate((0, 9, 4, 1, 7)):
        targets[row, length:] = IGNORE_INDEX
    whole, cut = shares(module, (ids, targets), 1), shares(module, (ids, targets), 3)
    torch.testing.assert_close(whole[0], cut[0])
    for one, other in zip(whole[1], cut[1], strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)


class KillAWorker(Callback):
    """Kills a process that prepares batches, as a full memory does."""

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, index: int) -> None:
        if index == 1:
            workers = [
                child
                for child in psutil.Process().children()
                if "spawn_main" not in " ".join(child.cmdline())
            ]
            workers[0].kill()


# torch raises in a signal handler, so the error may also come up where it cannot be handled
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_data_worker_that_dies_is_one_line(fit: Make, gpt_config: Make, tmp_path: Path) -> None:
    data = LanguageData(Tokens(), 16, 8, 4000, 1, workers=2)  # type: ignore[arg-type]
    optimizer = partial(adamw, lr=1e-2, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.0)
    module = LanguageModule(GPT(gpt_config("micro", vocab_size=10, context=16)), optimizer, SCHEDULE, 40)
    with pytest.raises(ValueError, match=r"a data worker died .*runtime\.workers=0") as told:
        fit(module, data, tmp_path, KillAWorker(), validate_every=4000)
    assert "\n" not in str(told.value)
    del told
    gc.collect()  # a loader that the signal interrupted is destroyed here, not in a later test
