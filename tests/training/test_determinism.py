"""Workers change nothing to the bit, microbatches nothing up to rounding."""

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
from foundling.training.language import LanguageModule
from foundling.training.optim import adamw, trapezoid

Make = Callable[..., Any]


class Tokens:
    """A text of random letters."""

    ids = np.random.default_rng(1).integers(0, 30, 4000).astype(np.uint16)
    train = [Source("letters", 1.0, ids, 4000)]
    validation = [Source("letters", 1.0, ids[:300], 300)]


def trained(
    fit: Make,
    make: Make,
    folder: Path,
    workers: int = 0,
    accumulate: int = 1,
    exact: bool = True,
) -> Any:
    torch.manual_seed(0)
    network = GPT(make("micro", vocab_size=30, context=16))
    data = LanguageData(Tokens(), 16, 16, 12, 1, workers=workers)  # type: ignore[arg-type]
    optimizer = partial(adamw, lr=3e-3, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.0)
    module = LanguageModule(network, optimizer, trapezoid(12, 3, 0.5, 0.0), data.validation_bytes)
    fit(module, data, folder, accumulate=accumulate, validate_every=4, log_every=1, deterministic=exact)
    return module


def losses(folder: Path) -> np.ndarray:
    """The training's, then the validations'."""
    columns = [
        np.loadtxt(folder / f"{name}.csv", delimiter=",", skiprows=1)[:, 2]
        for name in ("train", "validation")
    ]
    return np.concatenate(columns)


@pytest.fixture(scope="module")
def plain(fit: Make, gpt_config: Make, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    folder = tmp_path_factory.mktemp("plain")
    return folder, trained(fit, gpt_config, folder)


@pytest.mark.parametrize("changes", [{"workers": 2}, {"exact": False}])
def test_workers_and_a_cpus_other_kernels_change_no_bit(
    fit: Callable[..., Any],
    gpt_config: Callable[..., Any],
    tmp_path: Path,
    plain: tuple[Path, Any],
    changes: dict[str, Any],
) -> None:
    other = trained(fit, gpt_config, tmp_path, **changes)
    for name, tensor in plain[1].network.state_dict().items():
        assert torch.equal(tensor, other.network.state_dict()[name]), name
    assert np.array_equal(losses(plain[0]), losses(tmp_path))


@pytest.mark.parametrize("accumulate", [2, 4, 16])
def test_a_batch_in_parts_agrees_to_1e_5(
    fit: Make, gpt_config: Make, tmp_path: Path, plain: tuple[Path, Any], accumulate: int
) -> None:
    trained(fit, gpt_config, tmp_path, accumulate=accumulate)
    np.testing.assert_allclose(losses(plain[0]), losses(tmp_path), rtol=1e-5)
