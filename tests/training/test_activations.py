"""Activation checkpointing changes neither losses nor gradients, in each kind of network."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor, nn

from foundling.data.language import LanguageData
from foundling.data.shards import Source
from foundling.model import lora
from foundling.model.classifier import Classifier
from foundling.model.config import ClassifierConfig, TranslatorConfig
from foundling.model.gpt import GPT
from foundling.model.translator import Translator
from foundling.settings.training import Lora
from foundling.training.activations import checkpoint_activations
from foundling.training.language import LanguageModule
from foundling.training.optim import adamw, trapezoid
from foundling.validation import build

Make = Callable[..., Any]
IDS, LENGTHS = torch.arange(24).view(3, 8) % 7, torch.tensor([8, 5, 2])


class Tokens:
    """A text that counts up in circles."""

    train = [Source("circle", 1.0, np.arange(3000, dtype=np.uint16) % 10, 3000)]
    validation = [Source("circle", 1.0, np.arange(40, dtype=np.uint16) % 10, 40)]


def gpt(make: Make) -> GPT:
    return GPT(make("micro", n_layer=3, dropout=0.2))


def classifier(make: Make) -> Classifier:
    trunk = gpt(make)
    return Classifier(ClassifierConfig(trunk.config, ("ham", "spam"), "end"), trunk)


def with_lora(make: Make) -> GPT:
    network = gpt(make)
    lora.wrap(network, Lora(rank=2, alpha=4, dropout=0.1, targets=("qkv", "mlp.up")), seed=1)
    return network


def translator(make: Make) -> Translator:
    shape = yaml.safe_load(Path("conf/transformer/tiny.yaml").read_text())
    values = {"vocab_size": 50, **shape, "dropout": 0.2}
    return Translator(build(TranslatorConfig, values, "model"))


def gradients(network: nn.Module, *inputs: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    torch.manual_seed(7)  # of the dropout masks
    loss = network(*inputs).square().mean()
    loss.backward()
    return loss, {name: p.grad for name, p in network.named_parameters() if p.grad is not None}


@pytest.mark.parametrize(
    ("make", "inputs"),
    [
        (gpt, (IDS,)),
        (with_lora, (IDS,)),
        (classifier, (IDS, LENGTHS)),
        (translator, (IDS, LENGTHS, IDS)),
    ],
)
@pytest.mark.parametrize("every", [1, 2])
def test_losses_and_gradients_are_the_same_to_the_bit(
    gpt_config: Make, make: Make, inputs: tuple[Tensor, ...], every: int
) -> None:
    torch.manual_seed(0)
    network = make(gpt_config)
    loss, expected = gradients(network, *inputs)
    network.zero_grad()
    checkpoint_activations(network, every)
    calls: list[int] = []
    handles = [m.register_forward_hook(lambda *_: calls.append(1)) for m in network.modules()]
    found_loss, found = gradients(network, *inputs)
    for handle in handles:
        handle.remove()
    assert len(calls) > len(handles)  # some were computed twice
    assert torch.equal(loss, found_loss)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], gradient) for name, gradient in expected.items())


def test_a_training_ends_with_the_same_weights(fit: Make, gpt_config: Make, tmp_path: Path) -> None:
    weights = []
    for every in (0, 1):
        torch.manual_seed(0)
        network = GPT(gpt_config("micro", vocab_size=10, context=16, dropout=0.1))
        data = LanguageData(Tokens(), 16, 8, 4, 1, workers=0)  # type: ignore[arg-type]
        optimizer = partial(adamw, lr=1e-2, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.0)
        schedule = trapezoid(4, 1, 0.5, 0.0)
        module = LanguageModule(network, optimizer, schedule, data.validation_bytes)
        fit(module, data, tmp_path / str(every), activation_checkpointing=every)
        weights.append(network.state_dict())
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weight, weights[1][name]) for name, weight in weights[0].items())


def test_a_network_without_blocks_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no blocks .* set runtime\.activation_checkpointing=0"):
        checkpoint_activations(nn.Linear(2, 2), 1)
