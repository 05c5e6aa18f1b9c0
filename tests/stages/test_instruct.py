"""The instruct stage turns a base into a chat model and evaluates both; equal settings give equal bytes."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from foundling.artifacts import read_json, sha256
from foundling.config import compose
from foundling.data.fetching import fetch
from foundling.evaluation import forgetting
from foundling.generation.assistant import Assistant
from foundling.generation.sampling import GREEDY
from foundling.model.gpt import GPT
from foundling.settings import Job
from foundling.stages import instruct
from foundling.text.tiktoken_tokenizer import GPT2_PATTERN, TiktokenTokenizer
from foundling.text.tokenizer import END_OF_TEXT
from foundling.weights import folder
from foundling.weights.chat import read_chat

MARKS = ["<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]
TOKENIZER = TiktokenTokenizer({bytes([i]): i for i in range(256)}, GPT2_PATTERN, [END_OF_TEXT, *MARKS])
SECTIONS = ("corpus", "tokenizer", "model", "pretrain")
SMALL = [
    "instruct=files",
    "instruct.path=tasks.jsonl",
    "instruct.max_steps=6",
    "instruct.batch_size=8",
    "instruct.validate_every=3",
    "instruct.test.max_new_tokens=6",
    "instruct.forgetting.questions=6",
    "instruct.forgetting.tokens=200",
    "instruct.split.test=0.2",
    "evaluate=held_out",
    "runtime.progress=false",
    "logger=none",
    "trainer=cpu",
]


@pytest.fixture
def workspace(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gpt_config: Callable[..., Any]
) -> Path:
    """A project with a base, tokens, and sixty tasks."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf").symlink_to(root / "conf")
    tasks = [{"instruction": "Echo.", "input": f"{n % 60:02}", "output": f"{n % 60:02}!"} for n in range(60)]
    (tmp_path / "tasks.jsonl").write_text("".join(json.dumps(task) + "\n" for task in tasks))
    job = tuning(tmp_path)
    fetch(job.settings.instruct.dataset, tmp_path / "data/raw/instruct", None)
    torch.manual_seed(0)
    base = GPT(gpt_config("micro", vocab_size=TOKENIZER.vocab_size, context=48))
    folder.save(instruct.BASE, base, TOKENIZER, {"config": {name: job.recipe[name] for name in SECTIONS}})
    ids = np.frombuffer(b"the fox went home. " * 20, dtype=np.uint8).astype(np.uint16)
    tokens = SimpleNamespace(validation=[SimpleNamespace(name="tiny", ids=ids, bytes=len(ids))])
    monkeypatch.setattr(forgetting, "open_tokens", lambda place, fingerprint: tokens)
    return tmp_path


def tuning(out: Path, *changes: str) -> Job:
    return Job.of(compose([*SMALL, *changes]), out)


@pytest.mark.parametrize(
    "changes", [[], ["instruct.packing=true"], ["instruct.method=lora"]], ids=["full", "packed", "lora"]
)
def test_it_writes_a_chat_model_its_metrics_and_both_models_answers(
    workspace: Path, changes: list[str]
) -> None:
    share = instruct.run(tuning(workspace / "job", *changes))
    metrics = read_json(workspace / "job/metrics/instruct.json")
    assert metrics["examples"] == {"test": 12, "validation": 3, "train": 45}
    assert metrics["tuned"]["kinds"]["all"]["accuracy"] == share
    assert metrics["tuned"]["answer_loss"] < metrics["base"]["answer_loss"]
    assert {name: metrics[name]["judge"] for name in ("base", "tuned")} == {"base": None, "tuned": None}
    answers = [json.loads(line) for line in (workspace / "job/plots/answers.jsonl").read_text().splitlines()]
    assert len(answers) == 12
    assert {"prompt", "expected", "base", "answer"} <= set(answers[0])
    network, tokenizer = folder.load(workspace / "job/models/chat")
    assert tokenizer.fingerprint == TOKENIZER.fingerprint
    assert read_chat(workspace / "job/models/chat", TOKENIZER)[1] is None
    assert list(network.state_dict()) == list(folder.load_model(instruct.BASE).state_dict())
    made = read_json(workspace / "job/models/chat/provenance.json")
    assert made["parent"] == {"models/base": sha256(instruct.BASE)}
    assert set(made["config"]) == {*SECTIONS, "instruct"}
    assert (made["metrics"]["trained_parameters"] < network.parameter_count()) == (
        "instruct.method=lora" in changes
    )
    assert (workspace / "job/plots/instruct.csv").is_file()
    assert not (workspace / "job/scratch").exists() or not list((workspace / "job/scratch").iterdir())


def test_equal_settings_give_equal_bytes_and_another_seed_does_not(workspace: Path) -> None:
    for job, seed in (("one", 1), ("two", 1), ("three", 2)):
        instruct.run(tuning(workspace / job, f"instruct.seed={seed}"))
    for name in (
        "models/chat/model.safetensors",
        "metrics/instruct.json",
        "plots/answers.jsonl",
        "plots/instruct.csv",
    ):
        one, two, three = (sha256(workspace / job / name) for job in ("one", "two", "three"))
        assert one == two != three


def test_a_run_that_is_killed_leaves_the_old_model(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    instruct.run(tuning(workspace))
    before = sha256(workspace / "models/chat")

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(instruct, "_score", killed)
    with pytest.raises(KeyboardInterrupt):
        instruct.run(tuning(workspace, "instruct.seed=2"))
    assert sha256(workspace / "models/chat") == before
    assert not list(workspace.rglob("*.part"))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (["model=small"], r"models/base was made with model\.\w+=.*run `dvc repro pretrain` first"),
        (["instruct.method=prefix"], r"instruct\.method='prefix': must be one of full or lora"),
        (
            ["instruct.template=mine"],
            r"instruct\.template='mine': must be one of alpaca, phi3, chatml or model",
        ),
        (["instruct.judge.url=http://127.0.0.1:9/v1"], "the judge at .* does not answer"),
        (["instruct.path=other.jsonl"], "was fetched with other sources"),
        (
            ["+benchmark@evaluate.benchmarks.blimp=blimp"],
            r"benchmarks/blimp/meta\.json is missing; run the stage",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_any_training(
    workspace: Path, changes: list[str], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        instruct.run(tuning(workspace / "job", *changes))
    assert not (workspace / "job/models").exists()


def test_run_records_are_separate_from_reproducible_outputs(workspace: Path) -> None:
    instruct.run(tuning(workspace))
    record = read_json(workspace / "metrics/instruct_run.json")
    assert record["weights_sha256"] == sha256(workspace / "models/chat/model.safetensors")
    assert set(record["seconds"]) == {"training", "tuning", "whole"}
    assert "seconds" not in (workspace / "metrics/instruct.json").read_text()


def test_five_turns_fit_into_a_context_that_tuning_extends(workspace: Path) -> None:
    instruct.run(tuning(workspace, "instruct.context=240", "instruct.turns=5"))
    network, tokenizer = folder.load(workspace / "models/chat")
    assert network.config.context == 240
    assert len(read_json(workspace / "metrics/instruct.json")["tuned"]["turns"]) == 5
    template, system = read_chat(workspace / "models/chat", tokenizer)
    chat = Assistant(network, tokenizer, template, system=system, sampling=GREEDY, max_new_tokens=6, seed=1)
    for _ in range(5):
        "".join(chat.reply("Echo.\n12"))
        assert chat.dropped == 0
    held_out = read_json(workspace / "metrics/instruct.json")["base"]["forgetting"]["val/loss"]
    instruct.run(tuning(workspace / "job"))
    assert read_json(workspace / "job/metrics/instruct.json")["base"]["forgetting"]["val/loss"] == held_out


def test_learned_positions_end_the_context(workspace: Path, caplog: pytest.LogCaptureFixture) -> None:
    network = folder.load_model(instruct.BASE)
    shape = replace(network.config, position="learned")
    record = read_json(instruct.BASE / "provenance.json")
    folder.save(instruct.BASE, GPT(shape), TOKENIZER, {"config": record["config"]})
    with caplog.at_level("WARNING"):
        instruct.run(tuning(workspace, "instruct.context=96"))
    assert "the context stays at 48 tokens instead of instruct.context=96" in caplog.text
    assert folder.load_model(workspace / "models/chat").config.context == 48
