"""A training that is interrupted anywhere and resumed ends in the same bytes as an uninterrupted one."""

import logging
import math
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from lightning import Callback
from safetensors import SafetensorError

from foundling.artifacts import sha256
from foundling.data.classification import ClassificationData
from foundling.data.encoded_texts import Encoded
from foundling.data.language import LanguageData
from foundling.data.shards import Source
from foundling.data.translation import EncodedPairs as Pairs
from foundling.data.translation import TranslationData
from foundling.model import lora
from foundling.model.classifier import Classifier
from foundling.model.config import ClassifierConfig, TranslatorConfig
from foundling.model.gpt import GPT
from foundling.model.translator import Translator
from foundling.scratch import list_checkpoints, step_of
from foundling.settings.training import Lora
from foundling.training import checkpoint, resume
from foundling.training.callbacks import KeepBest, Snapshots
from foundling.training.classification import ClassificationModule
from foundling.training.language import LanguageModule
from foundling.training.optim import adamw, muon, trapezoid
from foundling.training.translation import TranslationModule

STEPS = 12
ADAMW = partial(adamw, lr=1e-2, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.1)
MUON = partial(
    muon,
    lr=0.02,
    momentum=0.95,
    weight_decay=0.0,
    adamw_lr=5e-3,
    adamw_betas=(0.9, 0.95),
    adamw_eps=1e-8,
    adamw_weight_decay=0.0,
)


class Killed(BaseException):
    """What ends a training without asking it."""


class Kill(Callback):
    """Raise at a hook, the `count`-th time that it is reached."""

    def __init__(self, hook: str, count: int) -> None:
        self.left = count
        setattr(self, hook, self._reached)

    def _reached(self, *_: Any, **__: Any) -> None:
        self.left -= 1
        if self.left == 0:
            raise Killed


@dataclass
class Tokens:
    train: list[Source]
    validation: list[Source]


def language(make: Callable[..., Any], folder: Path, workers: int, compiled: bool) -> Any:
    random = np.random.default_rng(0)
    train = [Source("noise", 1.0, random.integers(0, 10, 3000).astype(np.uint16), 3000)]
    tokens = Tokens(train, [Source("noise", 1.0, random.integers(0, 10, 207).astype(np.uint16), 207)])
    network = GPT(make("micro", vocab_size=10, context=16, dropout=0.2, n_layer=1 if compiled else 2))
    data = LanguageData(tokens, 16, 8, STEPS, 1, workers)  # type: ignore[arg-type]
    module = LanguageModule(network, MUON, trapezoid(STEPS, 5, 0.5, 0.0), data.validation_bytes)
    return module, data, [Snapshots(folder / "snapshots", network, [0, 3, 7, STEPS], 128)]


def classification(make: Callable[..., Any], folder: Path, workers: int, compiled: bool) -> Any:
    random = np.random.default_rng(0)
    texts = Encoded([random.integers(0, 10, 7).tolist() for _ in range(60)], random.integers(0, 2, 60))
    config = make("micro", vocab_size=10, context=16, init="gpt2", dropout=0.1)
    network = Classifier(ClassifierConfig(config, ("one", "two"), "end"))
    network.trunk.requires_grad_(False)
    lora.wrap(
        network.trunk, Lora(rank=2, alpha=4.0, dropout=0.1, targets=("attention.qkv", "mlp.up")), seed=1
    )
    data = ClassificationData(texts, texts, batch_size=16, bucket=2, steps=STEPS, seed=1, workers=workers)
    how: dict[str, Any] = {
        "head_rate": 3.0,
        "language_loss": 0.1,
        "label_smoothing": 0.1,
        "class_weights": None,
    }
    module = ClassificationModule(network, ADAMW, trapezoid(STEPS, 2, 0.5, 0.0), **how)
    return module, data, [KeepBest(network, 3)]


def translation(make: Callable[..., Any], folder: Path, workers: int, compiled: bool) -> Any:
    random = np.random.default_rng(0)
    said = [random.integers(0, 9, size=random.integers(1, 6)).tolist() for _ in range(60)]
    pairs = Pairs([[*row, 19] for row in said], [[19, *row, 19] for row in said])
    values = yaml.safe_load((Path(__file__).parents[2] / "conf/transformer/tiny.yaml").read_text())
    network = Translator(TranslatorConfig(vocab_size=20, **values | {"dropout": 0.1}))
    data = TranslationData(pairs, pairs, batch_tokens=100, steps=STEPS, seed=1, workers=workers)
    schedule = trapezoid(STEPS, 5, 0.5, 0.0)
    return TranslationModule(network, MUON, schedule, label_smoothing=0.1, bleu=lambda net: 12.5), data, []


KINDS = {"language": language, "classification": classification, "translation": translation}


@pytest.fixture
def train(fit: Callable[..., Any], gpt_config: Callable[..., Any], tmp_path: Path) -> Callable[..., Path]:
    """Train as a new process would: everything is made anew, and the folder's checkpoint is resumed."""

    def train(name: str, *extra: Callback, kind: str = "language", workers: int = 0, **changes: Any) -> Path:
        often = {"log_every": 3, "checkpoint_every": 2, "checkpoint_seconds": 0, "validate_every": 4}
        compiled = changes.get("compile", False)
        torch.manual_seed(0)
        folder = tmp_path / name
        module, data, callbacks = KINDS[kind](gpt_config, folder, workers, compiled)
        torch.manual_seed(sum(map(ord, name)))  # what came before must not matter
        recorder = fit(module, data, folder, *callbacks, *extra, **{**often, **changes})
        for callback in callbacks:
            if isinstance(callback, KeepBest):
                callback.restore()
        torch.save(module.network.state_dict(), folder / "weights.pt")
        (folder / "skipped").write_text(str(recorder.skipped))
        return folder

    return train


def results(folder: Path) -> dict[str, str]:
    """The hashes of all that a training leaves, but for its checkpoints and what broke it off."""
    state = torch.load(folder / "weights.pt", weights_only=True)
    found = {name: str(hash(tensor.numpy().tobytes())) for name, tensor in state.items()}
    files = [file for file in folder.rglob("*") if file.is_file() and "fault" not in file.parts]
    kept = {
        str(f.relative_to(folder)): sha256(f)
        for f in files
        if f.suffix in (".csv", ".json") or "snap" in str(f)
    }
    return found | kept | {"skipped": (folder / "skipped").read_text()}


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint whenever one is due, however fast the steps are."""
    monkeypatch.setattr(resume, "OVERHEAD", math.inf)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """The signals' handlers are what they were, when a training is over, however it ended."""
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)]
    yield
    assert before == [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)]


PLACES = [
    ("on_train_batch_start", 1),
    ("on_train_batch_start", 6),
    ("on_before_optimizer_step", 5),
    ("on_train_batch_end", 8),
    ("on_validation_start", 2),
    ("on_validation_batch_end", 3),
    ("on_validation_end", 2),
    ("on_train_end", 1),
]


@pytest.mark.parametrize(("hook", "count"), PLACES)
def test_a_training_that_is_killed_ends_in_the_same_bytes(train: Any, hook: str, count: int) -> None:
    whole = results(train("whole"))
    assert {"train.csv", "validation.csv", "snapshots/index.json"} <= set(whole)
    with pytest.raises(Killed):
        train("broken", Kill(hook, count))
    assert results(train("broken")) == whole


@pytest.mark.parametrize("kind", ["classification", "translation"])
def test_so_does_one_that_is_killed_again_and_again(train: Any, kind: str) -> None:
    whole = results(train("whole", kind=kind))
    for hook in (
        "on_train_batch_end",
        "on_before_optimizer_step",
        "on_validation_end",
        "on_validation_start",
    ):
        with pytest.raises(Killed):
            train("broken", Kill(hook, 4 if "valid" not in hook else 1), kind=kind)
    assert results(train("broken", kind=kind)) == whole


def test_the_same_with_parts_of_batches_and_data_workers(train: Any) -> None:
    whole = results(train("whole", accumulate=2))
    for hook, count in (("on_train_batch_start", 4), ("on_before_backward", 5), ("on_validation_end", 2)):
        with pytest.raises(Killed):
            train("broken", Kill(hook, count), accumulate=2, workers=2)
    assert results(train("broken", accumulate=2, workers=2)) == whole


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method.*")
def test_the_same_with_torch_compile(train: Any) -> None:
    torch.compiler.reset()
    whole = results(train("whole", compile=True))
    with pytest.raises(Killed):
        train("broken", Kill("on_before_backward", 7), compile=True)
    torch.compiler.reset()
    assert results(train("broken", compile=True)) == whole


def test_early_stopping_continues_counting(train: Any) -> None:
    def stopping(name: str, *extra: Callback) -> dict[str, str]:
        return results(train(name, *extra, kind="classification", validate_every=1, max_steps=STEPS))

    whole = stopping("whole")
    for count in (4, 3):
        with pytest.raises(Killed):
            stopping("broken", Kill("on_validation_end", count))
    assert stopping("broken") == whole
    steps = (
        (Path(train("again", kind="classification", validate_every=1)) / "validation.csv")
        .read_text()
        .splitlines()
    )
    assert 4 < len(steps) <= STEPS + 1


def test_what_is_trained_is_not_trained_again(train: Any, caplog: pytest.LogCaptureFixture) -> None:
    whole = results(train("whole"))
    with caplog.at_level(logging.INFO, logger="foundling"):
        assert (
            results(train("whole", Kill("on_train_batch_start", 1), Kill("on_validation_start", 1))) == whole
        )
    assert f"resuming from step {STEPS}, saved in " in caplog.text


def test_the_last_validation_is_made_up_for(train: Any) -> None:
    whole = results(train("whole", validate_every=5))
    with pytest.raises(Killed):
        train("broken", Kill("on_validation_end", 3), validate_every=5)
    assert results(train("broken", validate_every=5)) == whole


@pytest.mark.parametrize(
    ("hook", "number"),
    [
        ("on_before_backward", signal.SIGTERM),
        ("on_validation_batch_end", signal.SIGTERM),
        ("on_train_batch_end", signal.SIGINT),
        ("on_validation_end", signal.SIGUSR1),
    ],
)
def test_a_signal_saves_and_stops_within_a_step(
    train: Any, hook: str, number: signal.Signals, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Send(Kill):
        def _reached(self, *_: Any, **__: Any) -> None:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), number)

    rarely = {"checkpoint_every": 1000}
    whole = results(train("whole", **rarely))
    with pytest.raises(SystemExit) as ended:
        train("broken", Send(hook, 3), **rarely)
    assert ended.value.code == 128 + number
    step = {"on_validation_batch_end": 8, "on_validation_end": 12}.get(hook, 3)
    assert f"stopped by {number.name} after step {step}; the same command resumes from there" in caplog.text
    assert step_of(list_checkpoints(tmp_path / "broken")[0]) == step
    assert results(train("broken", **rarely)) == whole


def test_only_whole_checkpoints_count_and_two_are_kept(
    train: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = results(train("whole"))
    with pytest.raises(Killed):
        train("broken", Kill("on_train_batch_end", 9))
    folder = tmp_path / "broken"
    newest, older = list_checkpoints(folder)
    assert [path.name[:13] for path in (newest, older)] == ["step-00000008", "step-00000006"]
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(data)
    (folder / ".checkpoint.1.ab.part").write_bytes(b"half a file")
    assert results(train("broken")) == whole
    assert f"{newest} is damaged (its sha256 is not the one in its name)" in caplog.text


def test_a_training_whose_checkpoints_are_all_damaged_begins_anew(train: Any, tmp_path: Path) -> None:
    whole = results(train("whole"))
    with pytest.raises(Killed):
        train("broken", Kill("on_train_batch_end", 9))
    for path in list_checkpoints(tmp_path / "broken"):
        path.write_bytes(b"")
    assert results(train("broken")) == whole


def test_a_checkpoint_that_is_not_whole_has_no_name(
    train: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = results(train("whole"))
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(checkpoint, "sha256", lambda path: (_ for _ in ()).throw(Killed()))
        train("broken")
    assert list_checkpoints(tmp_path / "broken") == []
    assert results(train("broken")) == whole


def test_a_full_disk_is_reported_and_the_previous_checkpoint_resumed(
    train: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, real, saved = results(train("whole")), checkpoint.save_file, []

    def full(tensors: Any, path: Path, metadata: Any) -> None:
        saved.append(path)
        if len(saved) == 3:
            path.write_bytes(b"half")
            raise SafetensorError("I/O error: No space left on device (os error 28)")
        real(tensors, path, metadata)

    with (
        monkeypatch.context() as patched,
        pytest.raises(OSError, match=r"cannot write .* step 6 .*No space.*free some disk space"),
    ):
        patched.setattr(checkpoint, "save_file", full)
        train("broken")
    assert not saved[-1].exists()
    assert results(train("broken")) == whole


def test_slurm_is_asked_to_run_the_job_again(
    train: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Signal(Callback):
        def on_before_backward(self, trainer: Any, *_: Any) -> None:
            if trainer.global_step == 4:
                os.kill(os.getpid(), signal.SIGUSR1)

    program = tmp_path / "bin/scontrol"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    with pytest.raises(SystemExit):
        train("one", Signal())
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "4700")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    with pytest.raises(SystemExit):
        train("two", Signal())
    assert (tmp_path / "asked").read_text() == "requeue 4711\nrequeue 4700_3\n"
    program.write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(SystemExit):
        train("three", Signal())
    assert "SLURM did not requeue job 4700_3" in caplog.text


def test_lost_rows_are_an_error(train: Any, tmp_path: Path) -> None:
    with pytest.raises(Killed):
        train("broken", Kill("on_train_batch_end", 9))
    (tmp_path / "broken/train.csv").write_text("step\n")
    with pytest.raises(
        ValueError, match=r"train.csv has 5 bytes, but the checkpoint in its .* remove the folder"
    ):
        train("broken")


def test_a_state_is_restored_from_disk_unchanged(tmp_path: Path) -> None:
    state = {
        "step": 3,
        "tensors": {"a": torch.arange(3.0), "b": [torch.tensor(1), torch.zeros(0, 2)]},
        "rest": {"none": None, "number": 1e-300, "nested": [True, "text", {"x": float("inf")}]},
    }
    path = checkpoint.save(tmp_path, 3, state)
    assert path.stem.endswith(sha256(path))
    found = checkpoint.load(tmp_path)
    assert found is not None
    assert torch.equal(found["tensors"]["a"], torch.arange(3.0))
    assert found["tensors"]["b"][1].shape == (0, 2)
    assert found["rest"] == state["rest"]
    assert not list(tmp_path.glob(".*"))
