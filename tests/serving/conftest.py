"""Tiny models, an application over them, and a real server process."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from fastapi.testclient import TestClient

from foundling.model.classifier import Classifier
from foundling.model.config import ClassifierConfig, TranslatorConfig
from foundling.model.gpt import GPT
from foundling.model.translator import Translator
from foundling.serving.app import create_app
from foundling.serving.loading import Models, load_models
from foundling.settings.commands import Serve
from foundling.text.tiktoken_tokenizer import GPT2_PATTERN, TiktokenTokenizer
from foundling.text.tokenizer import END_OF_TEXT
from foundling.validation import build
from foundling.weights import folder
from foundling.weights.chat import chat_files

ROOT = Path(__file__).parents[2]
MARKS = ["<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]
TOKENIZER = TiktokenTokenizer({bytes([i]): i for i in range(256)}, GPT2_PATTERN, [END_OF_TEXT, *MARKS])
CPU = torch.device("cpu")


def write_models(place: Path, gpt_config: Callable[..., Any]) -> list[str]:
    """A chat model, a base model, a classifier and a translator, of random weights; returns their folders."""
    torch.manual_seed(0)
    config = gpt_config("micro", vocab_size=TOKENIZER.vocab_size, context=256)
    trained = GPT(config)
    for p in trained.parameters():
        torch.nn.init.normal_(p, std=0.3)
    folder.save(place / "chat", trained, TOKENIZER, extra=chat_files("phi3", None, TOKENIZER))
    folder.save(place / "base", trained, TOKENIZER)
    write_snapshots(place / "snapshots", trained, GPT(config))
    labelled = ClassifierConfig(config, ("ham", "spam"), "end", template="SMS: {text}!")
    classifier = Classifier(labelled, trained)
    torch.nn.init.normal_(classifier.head.weight, std=0.1)  # no probability is near 0 or 1
    folder.save(place / "classifier", classifier, TOKENIZER)
    values = yaml.safe_load((ROOT / "conf/transformer/tiny.yaml").read_text())
    values |= {"init": "xavier", "context": 32}
    translator = Translator(TranslatorConfig(vocab_size=TOKENIZER.vocab_size, **values))
    folder.save(place / "translator", translator, TOKENIZER)
    return [str(place / name) for name in ("chat", "base", "classifier", "translator")]


def write_snapshots(place: Path, *models: GPT) -> None:
    """Snapshots of a pretraining after 0, 20, … steps; the last model comes first."""
    steps = [20 * i for i in range(len(models))]
    for step, model in zip(steps, reversed(models), strict=True):
        folder.save(place / f"step-{step:08d}", model)
    index = [{"step": step, "tokens": 8 * step, "folder": f"step-{step:08d}"} for step in steps]
    (place / "index.json").write_text(json.dumps(index))


@pytest.fixture(scope="session")
def folders(gpt_config: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The folders of the tiny models."""
    return write_models(tmp_path_factory.mktemp("served"), gpt_config)


@pytest.fixture(scope="module")
def models(folders: list[str]) -> Iterator[Models]:
    """The tiny models, loaded."""
    loaded = load_models(folders, CPU, rows=4, queue=8, prefix_tokens=500)
    yield loaded
    loaded.close()


LIMITS = {
    "body_kilobytes": 64,
    "body_seconds": 5,
    "prompt_tokens": None,
    "max_tokens": 64,
    "choices": 4,
    "texts": 8,
    "rows": 4,
    "queue": 8,
    "prefix_tokens": 500,
    "connections": 64,
    "seconds": 60,
}


def serve_settings(**changes: Any) -> Serve:
    """Settings of `serve`, with changes; those of `limits` are merged."""
    values = {
        "models": None,
        "host": "127.0.0.1",
        "port": 0,
        "temperature": 0.0,
        "no_repeat_ngram_size": None,
        "key": "FOUNDLING_API_KEY",
        "key_file": None,
        "allowed_hosts": [],
        "allowed_origins": [],
        "batch_tokens": 1024,
        "translate": {"beam": 2, "length_penalty": 0.6, "extra": 5, "batch_tokens": 1024},
    }
    limits = {**LIMITS, **changes.pop("limits", {})}
    return build(Serve, {**values, **changes, "limits": limits}, "serve")


@pytest.fixture(scope="module")
def client(models: Models) -> TestClient:
    """A client of the application, without a server process."""
    return make_client(models)


def make_client(models: Models, key: str | None = None, **changes: Any) -> TestClient:
    """A client of an application with changed settings."""
    app = create_app(models, serve_settings(**changes), key)
    return TestClient(app, base_url="http://127.0.0.1:8000", raise_server_exceptions=False)


def serve_command(folders: list[str], *overrides: str) -> list[str]:
    """The command that serves these models on a free port."""
    command = [sys.executable, "-m", "foundling", "serve", f"serve.models={json.dumps(folders)}"]
    return [*command, "trainer=cpu", "serve.port=0", *overrides]


class ServerProcess:
    """`foundling serve` as a user starts it, on a free port."""

    def __init__(self, folders: list[str], *overrides: str, **environment: str) -> None:
        self.process = subprocess.Popen(
            serve_command(folders, *overrides),
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout is not None
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if found := re.search(r"http://\S+:(\d+)", line):
                self.url, self.port = found[0].rstrip(";"), int(found[1])
                return
        self.process.wait()
        self.process.stdout.close()
        raise AssertionError("".join(lines))

    def stop(self) -> str:
        """End the process; returns what it printed after its start."""
        self.process.terminate()
        return self.process.communicate(timeout=120)[0]


@pytest.fixture(scope="module")
def server(folders: list[str]) -> Iterator[ServerProcess]:
    """A server process with the tiny models."""
    started = ServerProcess(folders)
    yield started
    started.stop()
