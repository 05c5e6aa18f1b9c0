"""Training from the frozen blocks' kept states equals training from ids; the key fits the states."""

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim import SGD

from foundling.data.batches import padded
from foundling.data.classification import ClassificationData
from foundling.data.encoded_texts import Encoded
from foundling.evaluation.classification import probabilities
from foundling.model import lora
from foundling.model.classifier import Classifier
from foundling.model.config import ClassifierConfig
from foundling.model.gpt import GPT
from foundling.scratch import lock_folder
from foundling.settings.training import Classify, Lora
from foundling.settings.types import CustomComponent
from foundling.training import frozen
from foundling.training.classification import ClassificationModule, choose_trainable
from foundling.training.frozen import STATES, keep_frozen
from foundling.training.optim import trapezoid
from foundling.validation import build
from foundling.weights import folder

Make = Callable[..., Any]
Kept = Mapping[str, Encoded]
LORA = Lora(rank=2, alpha=4.0, dropout=0.0, targets=("attention.qkv", "mlp.out"), last=1)
CPU = torch.device("cpu")
SHAPES: dict[str, dict[str, Any]] = {
    "micro": {"n_layer": 3, "init": "gpt2"},  # convolutions, look-up heads, rotary positions
    "original": {"n_layer": 3, "n_embd": 32, "n_ffn": 64},
    "char": {"n_layer": 3, "n_embd": 32, "n_ffn": 64},
    "llama": {"n_layer": 3, "n_embd": 32, "n_ffn": 48, "rope_skip": 3},
}


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def splits() -> dict[str, Encoded]:
    """The label is whether token 1 or token 2 occurs; one test text is also in train."""
    random = np.random.default_rng(0)
    made = {}
    for name, count in (("train", 60), ("validation", 30), ("test", 10)):
        labels = random.integers(0, 2, size=count)
        rows = [[0, *random.integers(3, 10, size=random.integers(2, 9)), 1 + label, 0] for label in labels]
        made[name] = Encoded([list(map(int, row)) for row in rows], labels)
    made["test"].ids[0] = made["train"].ids[0]
    return made


@pytest.fixture
def classify(settings: Any) -> Classify:
    return replace(settings.classify, train="last", last=1, batch_tokens=50)


@pytest.fixture
def network(gpt_config: Make) -> Classifier:
    return base(gpt_config, "micro")


def base(make: Make, shape: str, **changes: Any) -> Classifier:
    """A classifier of which the last block is trained; its trunk is saved as ./base."""
    torch.manual_seed(0)
    trunk = GPT(make(shape, vocab_size=10, context=16, **SHAPES[shape], **changes)).eval()
    folder.save(Path("base"), trunk)
    network = Classifier(ClassifierConfig(trunk.config, ("one", "two"), "end"), trunk)
    choose_trainable(network, "last", 1, None, seed=1)  # type: ignore[arg-type]
    return network


def keep(network: Classifier, splits: Kept, classify: Classify) -> Kept:
    return keep_frozen(network, splits, classify, Path("base"), CPU)


def files() -> list[Path]:
    return sorted(Path("scratch/frozen").glob(f"*/{STATES}"))


def plain_sgd(network: torch.nn.Module) -> SGD:
    """Adam would scale a gradient that is nothing but rounding to full size."""
    return SGD([p for p in network.parameters() if p.requires_grad], lr=0.1)


def train(fit: Make, network: Classifier, splits: Kept, place: str) -> ClassificationModule:
    data = ClassificationData(
        splits["train"], splits["validation"], batch_size=16, bucket=2, steps=12, seed=1, workers=0
    )
    settings = {"head_rate": 3.0, "language_loss": 0.0, "label_smoothing": 0.1, "class_weights": None}
    module = ClassificationModule(network.train(), plain_sgd, trapezoid(12, 2, 0.5, 0.0), **settings)  # type: ignore[arg-type]
    fit(module, data, Path(place))
    return module


@pytest.mark.parametrize(
    ("trained", "pooling"), [("head", "mean"), ("last", "mean"), ("last", "last"), ("lora", "mean")]
)
@pytest.mark.parametrize("shape", SHAPES)
def test_training_from_kept_states_equals_training_from_ids(
    fit: Make, gpt_config: Make, splits: Kept, classify: Classify, shape: str, trained: str, pooling: str
) -> None:
    losses, weights, logits = [], [], []
    for place in ("plain", "kept"):
        network = base(gpt_config, shape)
        network.config = replace(network.config, pooling=pooling)
        choose_trainable(network, trained, 1, LORA, seed=1)  # type: ignore[arg-type]
        before = {name: p.clone() for name, p in network.state_dict().items()}
        rows = keep(network, splits, replace(classify, cache_frozen=place == "kept"))
        assert (rows["train"].states is not None) == (place == "kept")
        module = train(fit, network, rows, place)
        moved = {name for name, p in network.named_parameters() if not torch.equal(p, before[name])}
        assert moved == {name for name, p in network.named_parameters() if p.requires_grad}
        losses.append(module.validation)
        lora.merge(network.trunk)
        weights.append(network.state_dict())
        network.eval()
        p = probabilities(network, rows["test"].ids, 50, rows["test"].states)
        logits.append(network(*padded(splits["test"].ids)))  # the whole network, from ids
        np.testing.assert_allclose(p, logits[-1].detach().softmax(-1).numpy(), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(losses[1], losses[0], rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(weights[1], weights[0], rtol=1e-6, atol=1e-6)
    assert torch.equal(logits[1].argmax(-1), logits[0].argmax(-1))


@pytest.mark.parametrize(("trained", "pooling"), [("last", "mean"), ("head", "last"), ("head", "mean")])
def test_the_file_holds_each_texts_states_once(
    network: Classifier, splits: Kept, classify: Classify, trained: str, pooling: str
) -> None:
    network.config = replace(network.config, pooling=pooling)
    choose_trainable(network, trained, 1, None, seed=1)  # type: ignore[arg-type]
    kept = keep(network, splits, classify)
    distinct = {tuple(row) for split in splits.values() for row in split.ids}
    count = sum(len(row) if trained == "last" else 1 for row in distinct)
    assert files()[0].stat().st_size == count * 32 * 4
    for name, split in kept.items():
        assert split.states is not None
        for index, row in enumerate(split.ids):
            states, lengths = split.states.padded(np.array([index]))
            expected = network.trunk.hidden_after(torch.tensor([row]), network.trunk.frozen_blocks)
            if trained == "head":
                final = network.trunk.hidden(torch.tensor([row]))
                expected = final[:, -1] if pooling == "last" else final[:, 1:].mean(1)
            assert lengths.tolist() == [len(row) if trained == "last" else 1]
            torch.testing.assert_close(states, expected, rtol=1e-5, atol=1e-6, msg=f"{name} {index}")


def test_another_split_of_the_same_texts_finds_them(
    network: Classifier, splits: Kept, classify: Classify, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(network, splits, classify)
    monkeypatch.setattr(frozen, "_compute", None)
    other = {"train": splits["test"], "validation": splits["train"], "test": splits["validation"]}
    kept = keep(network, other, replace(classify, seed=7, head_rate=1.0, epochs=9))
    assert len(files()) == 1
    assert kept["train"].states is not None


def test_states_of_further_texts_are_shared_by_the_splits_that_have_them(
    network: Classifier, splits: Kept, classify: Classify, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_but_train = {name: split for name, split in splits.items() if name != "train"}
    keep_frozen(network, all_but_train, classify, Path("base"), CPU, splits["train"].ids)
    monkeypatch.setattr(frozen, "_compute", None)
    assert keep(network, splits, classify)["train"].states is not None
    assert len(files()) == 1


def test_other_texts_weights_blocks_and_precisions_have_files_of_their_own(
    network: Classifier, splits: Kept, classify: Classify
) -> None:
    keep(network, splits, classify)
    changed = Encoded([[0, 3, 3, 0], *splits["test"].ids[1:]], splits["test"].labels)
    keep(network, {**splits, "test": changed}, classify)
    keep(network, splits, replace(classify, precision="bf16-mixed"))
    choose_trainable(network, "last", 2, None, seed=1)  # type: ignore[arg-type]
    keep(network, splits, classify)
    network.trunk.requires_grad_(False)
    keep(network, splits, classify)
    assert len(files()) == 5
    with torch.no_grad():
        network.trunk.norm.weight += 1
    folder.save(Path("base"), network.trunk)
    keep(network, splits, classify)
    assert len(files()) == 6


def test_the_same_texts_give_the_same_bytes_in_any_order(
    network: Classifier, splits: Kept, classify: Classify
) -> None:
    keep(network, splits, classify)
    before = files()[0].read_bytes()
    files()[0].unlink()
    backwards = {
        name: Encoded(split.ids[::-1], split.labels[::-1]) for name, split in reversed(splits.items())
    }
    keep(network, backwards, classify)
    assert files()[0].read_bytes() == before


def test_what_was_interrupted_or_cut_is_computed_again(
    network: Classifier, splits: Kept, classify: Classify, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = GPT.hidden_after, []

    def stops(self: GPT, ids: torch.Tensor, blocks: int) -> torch.Tensor:
        calls.append(len(ids))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(self, ids, blocks)

    monkeypatch.setattr(GPT, "hidden_after", stops)
    with pytest.raises(KeyboardInterrupt):
        keep(network, splits, classify)
    assert files() == []
    keep(network, splits, classify)
    whole = files()[0].read_bytes()
    os.truncate(files()[0], 100)
    keep(network, splits, classify)
    assert files()[0].read_bytes() == whole
    assert max(calls) > 1


def test_a_full_disk_is_one_line_and_training_needs_no_states(
    network: Classifier, splits: Kept, classify: Classify, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setattr(frozen.shutil, "disk_usage", lambda place: SimpleNamespace(free=2**14))
    assert keep(network, splits, classify) is splits
    (line,) = (record.message for record in caplog.records if record.levelno == logging.WARNING)
    assert line == (
        "classify: the states after 2 of 3 blocks for 99 texts take 0.1 MiB, and scratch has 0.0 MiB free: "
        "the frozen blocks are computed again in each step, which is slower"
    )
    assert not list(Path("scratch").iterdir())


def test_nothing_is_kept_where_states_are_not_a_function_of_the_text(
    gpt_config: Make, network: Classifier, splits: Kept, classify: Classify
) -> None:
    own = build(CustomComponent, {"_target_": "own.Module"}, "")
    for settings in (
        replace(classify, cache_frozen=False),
        replace(classify, language_loss=0.5),
        replace(classify, precision="bf16-true"),
        replace(classify, module=own),
    ):
        assert keep(network, splits, settings) is splits
    assert keep(base(gpt_config, "micro", dropout=0.1), splits, classify) is splits
    choose_trainable(network, "all", 1, None, seed=1)  # type: ignore[arg-type]
    assert keep(network, splits, classify) is splits
    assert not Path("scratch").exists()


def test_a_training_waits_for_the_states_that_another_process_writes(
    network: Classifier, splits: Kept, classify: Classify, monkeypatch: pytest.MonkeyPatch
) -> None:
    from foundling import scratch

    turns: list[Path | float] = []

    def taken(place: Path) -> int | None:
        turns.append(place)
        return None if len(turns) < 3 else lock_folder(place)

    monkeypatch.setattr(scratch, "lock_folder", taken)
    monkeypatch.setattr(scratch.time, "sleep", turns.append)
    assert keep(network, splits, classify)["train"].states is not None
    path = files()[0].parent
    assert turns == [path, 1, path]
