"""Training learns a translation; the validation loss is per token, unsmoothed, independent of batches."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch.nn import functional as F

from foundling.data.translation import EncodedPairs, TranslationData, as_batch
from foundling.model.config import TranslatorConfig
from foundling.model.translator import Translator
from foundling.training.optim import muon, trapezoid
from foundling.training.translation import TranslationModule

END = 19


def pairs(count: int, seed: int) -> EncodedPairs:
    """A sentence of digits, translated digit by digit into its successor."""
    random = np.random.default_rng(seed)
    said = [random.integers(0, 9, size=random.integers(1, 6)).tolist() for _ in range(count)]
    return EncodedPairs([[*row, END] for row in said], [[END, *(i + 1 for i in row), END] for row in said])


def network() -> Translator:
    torch.manual_seed(0)
    values = yaml.safe_load((Path(__file__).parents[2] / "conf/transformer/tiny.yaml").read_text())
    return Translator(TranslatorConfig(vocab_size=20, **values))


def module(smoothing: float, steps: int = 1) -> TranslationModule:
    def optimizer(net: Any) -> torch.optim.Optimizer:
        return muon(net, 0.02, 0.95, 0.0, 5e-3, (0.9, 0.95), 1e-8, 0.0)

    return TranslationModule(
        network(), optimizer, trapezoid(steps, 5, 0.5, 0.0), label_smoothing=smoothing, bleu=lambda net: 12.5
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_training_loss_is_the_smoothed_mean_over_real_targets(smoothing: float) -> None:
    some, made = pairs(7, 0), module(smoothing)
    batch = as_batch(some, np.arange(7))
    losses = []
    for source, target in zip(some.sources, some.targets, strict=True):
        logits = made.network(
            torch.tensor([source]), torch.tensor([len(source)]), torch.tensor([target[:-1]])
        )[0]
        losses.append(
            F.cross_entropy(logits, torch.tensor(target[1:]), label_smoothing=smoothing, reduction="none")
        )
    torch.testing.assert_close(made.loss(batch, batch), torch.cat(losses).mean())


def test_validation_is_the_same_however_the_split_is_cut() -> None:
    some, found = pairs(50, 1), []
    for batch_tokens in (20, 100, 10_000):
        made = module(0.1)
        made._trainer = SimpleNamespace(global_rank=0, world_size=1)  # type: ignore[assignment]
        data = TranslationData(some, some, batch_tokens=batch_tokens, steps=1, seed=1, workers=0)
        made.on_validation_epoch_start()
        for i, batch in enumerate(data.val_dataloader()):
            made.validation_step(batch, i)
        nats, count = made._sums.tolist()
        found.append((pytest.approx(nats, rel=1e-5), count))
    assert found[0] == (found[1][0].expected, found[1][1])
    assert found[1] == (found[2][0].expected, found[2][1])
    assert found[0][1] == sum(len(target) - 1 for target in some.targets)


def test_a_small_translator_learns_to_count(fit: Callable[..., Any], tmp_path: Path) -> None:
    made = module(0.1, steps=100)
    data = TranslationData(pairs(2000, 2), pairs(100, 3), batch_tokens=600, steps=100, seed=1, workers=0)
    recorder = fit(made, data, tmp_path, validate_every=30)
    assert set(made.validation) == {"step", "val/loss", "val/perplexity", "val/bleu"}
    assert made.validation["val/bleu"] == 12.5
    assert made.validation["val/loss"] < 1.0
    assert recorder.steps == 100
    assert made.network.flops_per_token() > 0
