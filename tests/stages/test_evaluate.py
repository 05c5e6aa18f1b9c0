"""The evaluate stage evaluates the base and its snapshots, and refuses a base of other settings."""

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from foundling.artifacts import read_json, write_json
from foundling.data.sources import Row
from foundling.model.gpt import GPT
from foundling.settings import Job
from foundling.settings.datasets import Benchmark
from foundling.stages import evaluate
from foundling.weights import folder

RECORDS = [
    {
        "query": f"fox {i}",
        "choices": ["den", "sea"],
        "gold": i % 2,
        "kind": "facts" if i % 3 else "cause",
        "control": "x",
    }
    for i in range(12)
]
SETTINGS = (
    "evaluate=held_out",
    "+benchmark@evaluate.benchmarks.mine=fables_continuations",
    "evaluate.batch_tokens=256",
    "evaluate.samples.prompts=[fox]",
    "evaluate.samples.count=1",
    "evaluate.samples.max_new_tokens=4",
    "runtime.trainer.accelerator=cpu",
)


MakeJob = Callable[..., Job]


class Bytes:
    """A tokenizer of bytes."""

    end_of_text = start_of_text = 256
    ends = frozenset((256,))
    fingerprint, vocab_size = "bytes", 257

    def encode(self, text: str) -> list[int]:
        return list(text.encode())

    def encode_document(self, text: str) -> list[int]:
        return self.encode(text) or [self.end_of_text]

    def decode_bytes(self, ids: list[int]) -> bytes:
        return bytes(i for i in ids if i < 256)


@pytest.fixture
def workspace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: Path, gpt_config: Callable[..., Any], job: MakeJob
) -> Path:
    """A base model, two snapshots, tokens and one benchmark."""
    monkeypatch.chdir(tmp_path)
    Path("conf").symlink_to(root / "conf")
    torch.manual_seed(0)
    for place in (evaluate.BASE, evaluate.SNAPSHOTS / "step-00000002", evaluate.SNAPSHOTS / "step-00000004"):
        folder.save(place, GPT(gpt_config("original", vocab_size=257, context=32, n_layer=1, n_embd=32)))
    write_json(evaluate.BASE / folder.PROVENANCE, {"config": job().recipe})
    index = [{"step": step, "tokens": step * 64, "folder": f"step-{step:08d}"} for step in (2, 4)]
    write_json(evaluate.SNAPSHOTS / "index.json", index)
    text = np.frombuffer(b"the fox went home to its den. " * 20, dtype=np.uint8).astype(np.uint16)
    tokens = SimpleNamespace(validation=[SimpleNamespace(name="tiny", ids=text, bytes=len(text))])

    def rows(place: Path, benchmark: Benchmark) -> Iterator[Row]:
        assert (place, benchmark.name) == (Path("data/raw/benchmarks/mine"), "fables_continuations")
        return (Row("mine", "", record) for record in RECORDS)

    monkeypatch.setattr(evaluate, "rows", rows)
    monkeypatch.setattr(evaluate, "open_tokens", lambda place, fingerprint: tokens)
    monkeypatch.setattr(evaluate.folder, "load", lambda place: (folder.load_model(place), Bytes()))
    return tmp_path


def test_writes_metrics_curve_and_samples_below_out(
    workspace: Path, job: MakeJob, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate.run(job(*SETTINGS, out=workspace / "job"))
    metrics = read_json(workspace / "job/metrics/evaluate.json")
    assert metrics["held_out"]["tokens"] == 599
    assert set(metrics["benchmarks"]["mine"]["kinds"]) == {"all", "facts", "cause", "mean_of_kinds"}
    assert "control" in metrics["benchmarks"]["mine"]["kinds"]["all"]
    with open(workspace / "job/plots/emergence.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["step"], row["tokens"]) for row in rows if row["kind"] == "all"] == [
        ("2", "128"),
        ("4", "256"),
    ]
    assert len({row["val/loss"] for row in rows}) == 2
    with open(workspace / "job/plots/benchmark_answers.csv", newline="") as file:
        items = list(csv.DictReader(file))
    assert {row["benchmark"] for row in items} == {"mine"}
    assert (
        len({row["item"] for row in items})
        == len(items)
        == metrics["benchmarks"]["mine"]["kinds"]["all"]["n"]
    )
    right = sum(int(row["right"]) for row in items)
    assert right / len(items) == metrics["benchmarks"]["mine"]["kinds"]["all"]["accuracy"]
    written = (workspace / "job/plots/samples.jsonl").read_text(encoding="utf-8")
    samples = [json.loads(line) for line in written.splitlines()]
    assert [sample["prompt"] for sample in samples] == ["fox"]
    assert "mine" in capsys.readouterr().out


@pytest.mark.parametrize(("accelerator", "kind"), [("auto", "cuda"), ("cpu", "cpu")])
def test_runtime_selects_the_device(
    workspace: Path, job: MakeJob, monkeypatch: pytest.MonkeyPatch, accelerator: str, kind: str
) -> None:
    moved = []

    def to(model: GPT, device: torch.device) -> GPT:
        moved.append(device.type)  # there is no GPU here: the model stays where it is
        return model

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(GPT, "to", to)
    evaluate.run(job(*SETTINGS, f"runtime.trainer.accelerator={accelerator}"))
    assert moved == [kind] * 3  # the model and two snapshots


def test_measures_the_same_twice(workspace: Path, job: MakeJob) -> None:
    for run in ("one", "two"):
        evaluate.run(job(*SETTINGS, out=workspace / run))
    for name in ("metrics/evaluate.json", "plots/emergence.csv", "plots/benchmark_answers.csv"):
        assert (workspace / "one" / name).read_bytes() == (workspace / "two" / name).read_bytes()


def test_without_benchmarks_the_curve_is_empty(workspace: Path, job: MakeJob) -> None:
    evaluate.run(job("evaluate=held_out", "runtime.trainer.accelerator=cpu"))
    assert read_json("metrics/evaluate.json")["benchmarks"] == {}
    assert len(Path("plots/emergence.csv").read_text().splitlines()) == 1


@pytest.mark.parametrize("setting", ["model.n_layer=2", "corpus.clean.deduplicate=false"])
def test_a_base_of_other_settings_is_refused(workspace: Path, job: MakeJob, setting: str) -> None:
    with pytest.raises(ValueError, match="dvc repro pretrain"):
        evaluate.run(job(*SETTINGS, setting))
    assert not Path("metrics").exists()


def test_other_evaluation_settings_are_no_reason_to_refuse(workspace: Path, job: MakeJob) -> None:
    evaluate.run(job(*SETTINGS, "evaluate.limit=5", "evaluate.snapshots=false"))
    assert read_json("metrics/evaluate.json")["benchmarks"]["mine"]["kinds"]["all"]["n"] == 5
