"""trainer=cpu means the CPU everywhere, auto uses a GPU if there is one, a missing device is one line."""

import ast
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from foundling import device
from foundling.__main__ import COMMANDS, COMPUTING
from foundling.commands import chat, generate, predict, translate
from foundling.device import automatic_precision, check_accelerator, choose_device, name_of, set_up
from foundling.model.classifier import Classifier, ClassifierConfig
from foundling.model.gpt import GPT
from foundling.model.translator import Translator, TranslatorConfig
from foundling.settings.runtime import Trainer
from foundling.text.vocabularies import characters
from foundling.validation import build
from foundling.weights import folder
from foundling.weights.chat import chat_files

SOURCES = Path(device.__file__).parent
TOKENIZER = characters(["abcdefgh userassistant<|>\n:"])
MODELS = {"generate": "base", "chat": "chat", "predict": "classifier", "translate": "translator"}


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Pretend that this machine has some devices, and a torch that was built for them."""

    def has(*kinds: str) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: "cuda" in kinds)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: "mps" in kinds)
        monkeypatch.setattr(device, "_cuda_possible", lambda: "cuda" in kinds)
        monkeypatch.setattr(sys, "platform", "darwin" if "mps" in kinds else "linux")

    return has


@pytest.mark.parametrize(
    ("accelerator", "kinds", "chosen"),
    [
        ("auto", (), "cpu"),
        ("auto", ("cuda",), "cuda"),
        ("auto", ("mps",), "mps"),
        ("auto", ("cuda", "mps"), "cuda"),
        ("gpu", ("mps",), "mps"),
        ("gpu", ("cuda",), "cuda"),
        ("cuda", ("cuda",), "cuda"),
        ("mps", ("cuda", "mps"), "mps"),
        ("cpu", ("cuda", "mps"), "cpu"),
    ],
)
def test_the_accelerator_decides_among_what_there_is(
    machine: Callable[..., None], accelerator: str, kinds: tuple[str, ...], chosen: str
) -> None:
    machine(*kinds)
    assert choose_device(accelerator) == torch.device(chosen)


@pytest.mark.parametrize("accelerator", ["cuda", "gpu", "mps"])
def test_a_missing_device_is_reported_before_and_after_torch_is_imported(
    machine: Callable[..., None], monkeypatch: pytest.MonkeyPatch, accelerator: str
) -> None:
    machine()
    says = rf"^runtime\.trainer\.accelerator={accelerator}: .*; try trainer=auto"
    with pytest.raises(ValueError, match=says):
        check_accelerator(accelerator)
    monkeypatch.setattr(device, "check_accelerator", lambda accelerator: None)  # a driver that finds no card
    with pytest.raises(ValueError, match=says):
        choose_device(accelerator)


def test_an_unknown_accelerator_is_reported_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"accelerator='cdua': must be one of auto, gpu, cuda, mps or cpu"):
        build(Trainer, {"accelerator": "cdua", "devices": 1}, "runtime.trainer")


@pytest.mark.parametrize(
    ("build", "driver", "possible"),
    [("2.9+cpu", True, False), ("2.9", True, True), ("2.9+cu130", False, False), ("2.9+rocm6", False, True)],
)
def test_torchs_build_and_the_driver_tell_whether_cuda_is_possible(
    monkeypatch: pytest.MonkeyPatch, build: str, driver: bool, possible: bool
) -> None:
    def load(name: str) -> None:
        if not driver:
            raise OSError(name)

    monkeypatch.setattr(device, "version", lambda name: build)
    monkeypatch.setattr(device.ctypes, "CDLL", load)
    assert device._cuda_possible() == possible


@pytest.mark.parametrize(("devices", "index"), [(1, None), ("auto", None), ([], None), ([3, 1], 3)])
def test_the_first_of_listed_devices_is_used(
    machine: Callable[..., None], devices: int | str | list[int], index: int | None
) -> None:
    machine("cuda")
    assert choose_device("auto", devices).index == index
    assert choose_device("cpu", devices) == torch.device("cpu")


def test_threads_are_set_with_the_device_and_null_leaves_them(job: Callable[..., Any]) -> None:
    before = torch.get_num_threads()
    try:
        set_up(job("trainer=cpu", f"runtime.threads={before + 1}").settings.runtime)
        assert torch.get_num_threads() == before + 1
        set_up(job("trainer=cpu").settings.runtime)
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


def test_seeding_a_device_draws_what_torchs_manual_seed_does_and_notes_no_call_for_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    for other in (torch.cuda, torch.xpu):
        monkeypatch.setattr(other, "manual_seed_all", lambda seed: pytest.fail("seeded another device"))
    device.seed(torch.device("cpu"), 5)
    assert torch.equal(torch.rand(3), expected)
    seeded: list[int] = []
    monkeypatch.setattr(torch.cuda, "manual_seed", seeded.append)
    device.seed(torch.device("cuda", 1), 5)
    assert seeded == [5]
    assert torch.equal(torch.rand(3), expected)


def test_precision_and_name_follow_the_device_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "H100")
    described = {
        device.type: (automatic_precision(device), name_of(device))
        for device in map(torch.device, ("cuda", "cpu"))
    }
    assert described == {"cuda": ("bf16-mixed", "H100"), "cpu": ("32-true", "CPU")}


@pytest.fixture(scope="module")
def models(gpt_config: Callable[..., Any], root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model of each kind."""
    place = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    config = gpt_config("micro", vocab_size=TOKENIZER.vocab_size, context=16)
    folder.save(place / "base", GPT(config), TOKENIZER)
    folder.save(place / "chat", GPT(config), TOKENIZER, {"config": {}}, chat_files("phi3", None, TOKENIZER))
    folder.save(place / "classifier", Classifier(ClassifierConfig(config, ("ham", "spam"), "end")), TOKENIZER)
    shape = yaml.safe_load((root / "conf/transformer/tiny.yaml").read_text())
    translator = TranslatorConfig(vocab_size=TOKENIZER.vocab_size, **shape)
    folder.save(place / "translator", Translator(translator), TOKENIZER)
    return place


@pytest.mark.parametrize("command", [generate, chat, predict, translate])
@pytest.mark.parametrize(("accelerator", "kind"), [("auto", "cuda"), ("cpu", "cpu")])
def test_runtime_selects_the_device_of_commands(
    command: Any,
    accelerator: str,
    kind: str,
    machine: Callable[..., None],
    models: Path,
    job: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moved = []

    def to(module: torch.nn.Module, device: torch.device) -> torch.nn.Module:
        moved.append(device.type)  # there is no GPU here: the model stays where it is
        return module

    machine("cuda")
    monkeypatch.setattr(torch.nn.Module, "to", to)
    monkeypatch.setattr(sys, "stdin", io.StringIO("abc\n"))
    name = command.__name__.rpartition(".")[2]
    tokens = [f"{name}.max_new_tokens=2"] if name in ("generate", "chat") else []
    at = [f"{name}.model={models / MODELS[name]}", f"runtime.trainer.accelerator={accelerator}"]
    command.run(job(*at, *tokens))
    assert moved == [kind]


def test_a_device_that_cannot_be_there_ends_in_one_line_without_torch(root: Path, tmp_path: Path) -> None:
    (tmp_path / "conf").symlink_to(root / "conf")
    (tmp_path / "torch.py").write_text("raise SystemExit('torch was imported')\n")
    path = os.pathsep.join([str(tmp_path), str(SOURCES.parent)])
    done = subprocess.run(
        [sys.executable, "-m", "foundling", "generate", "runtime.trainer.accelerator=cdua"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("foundling: runtime.trainer.accelerator='cdua': must be one of")
    assert len(done.stderr.splitlines()) == 1


def test_no_other_module_chooses_a_device_or_sets_threads() -> None:
    for file in SOURCES.rglob("*.py"):
        nodes = ast.walk(ast.parse(file.read_text()))
        names = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        if file != SOURCES / "device.py":
            assert not names & {"is_available", "set_num_threads", "is_bf16_supported"}, file


def test_the_commands_that_set_up_a_device_are_those_checked_before_torch_is_imported() -> None:
    texts = {name: (SOURCES / part / f"{name}.py").read_text() for name, part in COMMANDS.items()}
    assert {name for name, text in texts.items() if "set_up(" in text or "TrainingRun(" in text} == COMPUTING
