"""Fine-tuning learns the labels, changes only the chosen weights, keeps the best, and stops early."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from foundling.data.classification import ClassificationData
from foundling.data.encoded_texts import Encoded
from foundling.model import lora
from foundling.model.classifier import Classifier
from foundling.model.config import ClassifierConfig
from foundling.model.loss import IGNORE_INDEX
from foundling.settings.training import Lora
from foundling.training.callbacks import KeepBest
from foundling.training.classification import (
    ClassificationModule,
    choose_trainable,
    class_weights,
    next_tokens,
    scale_rate,
)
from foundling.training.module import TrainingModule
from foundling.training.optim import adamw, muon, trapezoid

Make = Callable[..., Any]

LORA = Lora(rank=2, alpha=4, dropout=0.0, targets=("attention.qkv", "mlp.up"))


@pytest.fixture(scope="module")
def texts() -> Encoded:
    """The label is whether token 1 or token 2 occurs, somewhere among others."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, size=200)
    rows = [list(random.integers(3, 10, size=random.integers(3, 9))) for _ in labels]
    for row, label in zip(rows, labels, strict=True):
        row[random.integers(len(row))] = 1 + label
    return Encoded([[0, *map(int, row), 0] for row in rows], labels)


def classifier(make: Callable[..., Any]) -> Classifier:
    torch.manual_seed(0)
    return Classifier(
        ClassifierConfig(make("micro", vocab_size=10, context=16, init="gpt2"), ("one", "two"), "end")
    )


def tuned(
    fit: Make,
    make: Make,
    texts: Encoded,
    folder: Path,
    train: str = "all",
    steps: int = 60,
    lr: float = 5e-3,
    **more: Any,
) -> tuple[Classifier, ClassificationModule, KeepBest]:
    network = classifier(make)
    choose_trainable(network, train, 1, LORA, seed=1)
    data = ClassificationData(texts, texts, batch_size=16, bucket=2, steps=steps, seed=1, workers=0)
    optimizer = partial(adamw, lr=lr, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.0)
    settings = {"head_rate": 3.0, "language_loss": 0.0, "label_smoothing": 0.0, "class_weights": None} | more
    module = ClassificationModule(network, optimizer, trapezoid(steps, 5, 0.5, 0.0), **settings)
    best = KeepBest(network, None)
    fit(module, data, folder, best)
    return network, module, best


def test_it_learns_what_no_single_place_tells(
    fit: Make, gpt_config: Make, texts: Encoded, tmp_path: Path
) -> None:
    _, module, _ = tuned(fit, gpt_config, texts, tmp_path, steps=100)
    assert module.validation["val/accuracy"] > 0.95
    assert (tmp_path / "validation.csv").read_text().startswith("step,tokens,val/loss,val/accuracy\n")


def test_equal_seeds_give_equal_weights_to_the_bit(
    fit: Make, gpt_config: Make, texts: Encoded, tmp_path: Path
) -> None:
    one, two = (tuned(fit, gpt_config, texts, tmp_path / n, steps=10)[0].state_dict() for n in "ab")
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize(
    ("train", "changed"),
    [
        ("head", ("head.",)),
        ("last", ("head.", "trunk.blocks.1.", "trunk.norm.")),
        ("lora", ("head.", "qkv.", "up.")),
        ("all", ("",)),
    ],
)
def test_only_what_is_chosen_is_trained(
    fit: Callable[..., Any],
    gpt_config: Callable[..., Any],
    texts: Encoded,
    tmp_path: Path,
    train: str,
    changed: tuple[str, ...],
) -> None:
    before = {name: t.clone() for name, t in classifier(gpt_config).state_dict().items()}
    network, _, best = tuned(fit, gpt_config, texts, tmp_path, train, steps=10)
    best.restore()
    lora.merge(network.trunk)
    after = network.state_dict()
    assert set(after) == set(before)
    for name in before:
        if not any(part in name for part in changed):
            assert torch.equal(before[name], after[name]), name
    assert not torch.equal(before["head.weight"], after["head.weight"])
    moved = [
        name for name in before if name.startswith("trunk") and not torch.equal(before[name], after[name])
    ]
    assert bool(moved) == (train != "head")


def test_more_blocks_than_there_are_cannot_be_trained(gpt_config: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match=r"classify\.last=3: must be at most 2"):
        choose_trainable(classifier(gpt_config), "last", 3, LORA, seed=1)


def test_the_best_validation_is_kept_and_a_worsening_one_stops(gpt_config: Callable[..., Any]) -> None:
    network = classifier(gpt_config)
    best, trainer = KeepBest(network, patience=2), SimpleNamespace(should_stop=False)
    module = TrainingModule(network, len, len)  # type: ignore[arg-type]
    for step, loss in enumerate((0.5, 0.3, 0.4, 0.35, 0.2), start=1):
        with torch.no_grad():
            network.head.bias.fill_(step)
        module.validation = {"step": step, "val/loss": loss}
        best.on_validation_end(trainer, module)  # type: ignore[arg-type]
        if trainer.should_stop:
            break
    assert step == 4
    resumed = KeepBest(network, patience=2)
    resumed.load_state_dict(best.state_dict())
    assert resumed.restore() == {"step": 2, "val/loss": 0.3}
    assert torch.equal(network.head.bias, torch.full((2,), 2.0))


def test_a_training_that_gets_worse_ends_early(
    fit: Make, gpt_config: Make, texts: Encoded, tmp_path: Path
) -> None:
    network = classifier(gpt_config)
    # what is learned is punished, so the first validation is the best
    wrong = Encoded(texts.ids, 1 - texts.labels)
    data = ClassificationData(texts, wrong, batch_size=16, bucket=2, steps=300, seed=1, workers=0)
    optimizer = partial(adamw, lr=5e-3, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.0)
    nothing = {"head_rate": 1.0, "language_loss": 0.0, "label_smoothing": 0.0, "class_weights": None}
    module = ClassificationModule(network, optimizer, trapezoid(300, 5, 0.5, 0.0), **nothing)  # type: ignore[arg-type]
    best = KeepBest(network, patience=2)
    recorder = fit(module, data, tmp_path, best, validate_every=15)
    assert recorder.steps < 300
    assert module.validation["step"] == recorder.steps
    assert best.restore()["step"] < recorder.steps


def test_the_auxiliary_loss_is_that_of_the_texts_alone(
    gpt_config: Callable[..., Any], texts: Encoded
) -> None:
    network = classifier(gpt_config).eval()
    rows = texts.ids[:5]
    longest = max(map(len, rows))
    ids = torch.tensor([row + [7] * (longest - len(row)) for row in rows])
    lengths, labels = torch.tensor([len(row) for row in rows]), torch.from_numpy(texts.labels[:5])
    fixed = {"head_rate": 1.0, "label_smoothing": 0.0, "class_weights": None}
    make = partial(ClassificationModule, network, adamw, trapezoid(9, 1, 0.5, 0.0), **fixed)
    with torch.no_grad():
        batch = (ids, lengths, labels)
        plain = make(language_loss=0.0).loss(batch, batch)
        both = make(language_loss=0.5).loss(batch, batch)
        nats = [
            F.cross_entropy(
                network.trunk(torch.tensor([row]))[0, :-1], torch.tensor(row[1:]), reduction="sum"
            )
            for row in rows
        ]
    expected = sum(nats) / sum(len(row) - 1 for row in rows)
    torch.testing.assert_close(both - plain, 0.5 * expected)


def test_targets_end_where_the_text_does() -> None:
    targets = next_tokens(torch.tensor([[0, 5, 0, 9], [0, 5, 6, 0]]), torch.tensor([3, 4]))
    assert targets.tolist() == [[5, 0, IGNORE_INDEX], [5, 6, 0]]


@pytest.mark.parametrize("name", ["adamw", "muon"])
@pytest.mark.parametrize("train", ["head", "all", "lora"])
def test_the_head_learns_at_its_own_rate(gpt_config: Callable[..., Any], name: str, train: str) -> None:
    network = classifier(gpt_config)
    choose_trainable(network, train, 1, LORA, seed=1)
    if name == "adamw":
        optimizer = adamw(network, 1e-3, (0.9, 0.99), 1e-8, 0.1)
    else:
        optimizer = muon(network, 0.02, 0.95, 0.0, 1e-3, (0.9, 0.95), 1e-8, 0.0)
    scale_rate(optimizer, network.head.parameters(), 3.0)
    rates: dict[int, float] = {}
    for group in optimizer.param_groups:
        for p in group["params"]:
            assert id(p) not in rates
            rates[id(p)] = group["lr"]
    assert set(rates) == {id(p) for p in network.parameters() if p.requires_grad}
    assert {rates[id(p)] for p in network.head.parameters()} == {3e-3}


def test_weights_give_each_label_the_same_say() -> None:
    from sklearn.utils.class_weight import compute_class_weight

    ids = np.array([0, 0, 0, 1, 2, 2])
    ours = class_weights("balanced", ["a", "b", "c"], ids)
    assert isinstance(ours, Tensor)
    np.testing.assert_allclose(ours, compute_class_weight("balanced", classes=np.arange(3), y=ids), rtol=1e-6)
    assert class_weights({"b": 4}, ["a", "b", "c"], ids).tolist() == [1.0, 4.0, 1.0]  # type: ignore[union-attr]
    assert class_weights({0: 2.0}, ["0", "1"], ids[ids < 2]).tolist() == [2.0, 1.0]  # type: ignore[dict-item, union-attr]
    assert class_weights(None, ["a", "b"], ids) is None
    with pytest.raises(ValueError, match=r"class_weights\.d: must be one of the labels a, b, c"):
        class_weights({"d": 1.0}, ["a", "b", "c"], ids)
