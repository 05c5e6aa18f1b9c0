"""A project of its own in which the whole pipeline has run once, on a corpus of a few pages."""

import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf

from foundling import config
from foundling.artifacts import sha256
from foundling.scratch import read_holder
from foundling.selection import selected

TINY = {
    "corpus": "fables",
    "tokenizer": "bpe",
    "model": "micro",
    "optimizer": "muon",
    "evaluate": "default",
    "set": {
        "corpus": {
            "megabytes": 0.2,
            "sources": [
                {
                    "name": "stories",
                    "weight": 0.9,
                    "generate": {"name": "stories", "seed": 1, "megabytes": 0.2},
                },
                {
                    "name": "drills",
                    "weight": 0.1,
                    "first": 0.2,
                    "generate": {"name": "drills", "seed": 1, "count": 99},
                },
            ],
        },
        "tokenizer": {"vocab_size": 600},
        "runtime": {"log_every": 4},
        "pretrain": {"max_steps": 12, "batch_size": 8, "validate_every": 6, "snapshots": 3},
        "classify": {
            "dataset": {
                "sources": [
                    {"name": name, "generate": {"name": "messages", "seed": 1, "count": count, "split": name}}
                    for name, count in (("train", 120), ("validation", 20), ("test", 40))
                ]
            },
            "epochs": 1,
            "zero_shot": {"limit": 10},
            "forgetting": {"questions": 10, "tokens": 500},
        },
        "evaluate": {"limit": 40},
        "instruct": {
            "dataset": {
                "sources": [
                    {
                        "name": name,
                        "generate": {"name": "instructions", "seed": 1, "count": count, "split": name},
                    }
                    for name, count in (("train", 200), ("validation", 20), ("test", 26))
                ]
            },
            "max_steps": 6,
            "validate_every": 3,
            "test": {"max_new_tokens": 4},
            "forgetting": {"questions": 10, "tokens": 500},
        },
        "train_translator": {
            "dataset": {
                "sources": [
                    {
                        "name": name,
                        "generate": {
                            "name": "pairs",
                            "seed": 1,
                            "count": count,
                            "language": "german",
                            "split": name,
                        },
                    }
                    for name, count in (("train", 200), ("validation", 20), ("test", 20))
                ]
            },
            "model": {"n_encoder": 1, "n_decoder": 1, "n_embd": 32},
            "vocab_size": 400,
            "max_steps": 4,
            "validate_every": 2,
            "test": {"extra": 2},
        },
    },
}


MODELS = {  # the folders in models/ that a training stage writes
    "pretrain": ["base", "snapshots"],
    "classify": ["classifier"],
    "instruct": ["chat"],
    "train_translator": ["translator"],
}
HEAVY = ("lightning", "rouge_score.rouge_scorer", "sacrebleu.metrics", "scipy.stats", "sklearn.svm")
DATA = ("fetch", "weights", "train_tokenizer", "tokenize")
# in a process that was forked from one that has imported all: start-up would take most of the time
COMMAND = """
import importlib, logging, os
from pathlib import Path
from omegaconf import OmegaConf
from foundling.settings import Job
from foundling.training import resume
os.chdir(place)
os.environ.update(environment)
log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
os.dup2(log, 1), os.dup2(log, 2)
logging.basicConfig(level=logging.INFO)
resume.OVERHEAD = float("inf")
importlib.import_module(f"foundling.stages.{stage}").run(Job.of(OmegaConf.load(config), Path()))
"""


def generated(name: str, splits: dict[str, int], **more: object) -> list[dict[str, object]]:
    return [
        {"name": split, "generate": {"name": name, "seed": 1, "count": count, "split": split, **more}}
        for split, count in splits.items()
    ]


KILLED = {
    "model": "micro",
    "trainer": "cpu",
    "logger": "none",
    "set": {
        "corpus": {
            "sources": [
                {"name": "stories", "generate": {"name": "stories", "seed": 1, "megabytes": 0.1}},
                {"name": "drills", "first": 0.2, "generate": {"name": "drills", "seed": 1, "count": 99}},
            ],
        },
        "tokenizer": {"vocab_size": 400},
        "runtime": {
            "log_every": 3,
            "checkpoint_every": 2,
            "checkpoint_seconds": 0,
            "threads": 1,
            "budget_hours": None,
        },
        "evaluate": {"benchmarks": {}},
        "pretrain": {"max_steps": 40, "batch_size": 4, "accumulate": 2, "validate_every": 10, "snapshots": 4},
        "classify": {
            "dataset": {"sources": generated("messages", {"train": 200, "validation": 20, "test": 20})},
            "train": "lora",
            "lora": {"dropout": 0.1},
            "epochs": 3,
            "validate_every": 4,
            "patience": 2,
            "baselines": ["majority"],
            "zero_shot": {"limit": 0},
            "forgetting": {"tokens": 200},
        },
        "instruct": {
            "dataset": {"sources": generated("instructions", {"train": 200, "validation": 20, "test": 26})},
            "max_steps": 30,
            "validate_every": 10,
            "batch_size": 8,
            "test": {"max_new_tokens": 2, "limit": 4},
            "forgetting": {"tokens": 200},
        },
        "train_translator": {
            "dataset": {
                "sources": generated("pairs", {"train": 200, "validation": 8, "test": 8}, language="german"),
            },
            "model": {"n_encoder": 1, "n_decoder": 1, "n_embd": 32, "dropout": 0.1},
            "vocab_size": 300,
            "max_steps": 30,
            "batch_tokens": 400,
            "validate_every": 10,
            "bleu_sentences": 4,
            "test": {"extra": 2, "beam": 2},
        },
    },
}


class Project:
    """A folder with conf/, params.yaml and dvc.yaml, and the two commands that one runs in it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def run(
        self, *command: str, succeeds: bool = True, typed: str = "", **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in the project, offline, with the project's source and `typed` as input."""
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = os.environ | {
            "PATH": programs,
            "PYTHONPATH": str(self.path / "src"),
            "WANDB_MODE": "disabled",
            "DVC_NO_ANALYTICS": "1",
            "COLUMNS": "120",
            **variables,
        }
        environment.pop("FOUNDLING_MIRROR", None)
        pipes: dict[str, Any] = {"input": typed, "capture_output": True, "text": True}
        done = subprocess.run(command, cwd=self.path, env=environment, **pipes)
        if succeeds:
            assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done

    def select(self, changes: dict[str, object] | None = None) -> None:
        """Write params.yaml: the tiny selection with changes, their keys dotted."""
        selection = OmegaConf.create(TINY)
        for key, value in (changes or {}).items():
            OmegaConf.update(selection, key, value)
        (self.path / "params.yaml").write_text(OmegaConf.to_yaml(selection))

    def outdated(self) -> set[str]:
        """Compose, then ask DVC which stages read what has changed; those behind them follow."""
        self.run("foundling", "compose")
        listed = yaml.safe_load(self.run("dvc", "status", "--json").stdout)
        return set(listed) - {"compose"}


def make_project(root: Path, path: Path) -> Project:
    """A copy of conf/, src/ and dvc.yaml with a DVC of its own, in which nothing has run."""
    for name in ("conf", "src"):
        shutil.copytree(root / name, path / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("dvc.yaml", ".dvcignore"):
        shutil.copy(root / name, path)
    made = Project(path)
    made.run("dvc", "init", "--no-scm", "--quiet")
    return made


@pytest.fixture
def fresh_project(root: Path, tmp_path: Path) -> Project:
    """A project in which nothing has run."""
    return make_project(root, tmp_path)


@pytest.fixture(scope="session")
def project(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project after one `dvc repro`, with W&B's files beside it in wandb/."""
    place = tmp_path_factory.mktemp("project")
    made = make_project(root, place)
    made.select()
    own = {"WANDB_DATA_DIR": str(place / "wandb-data"), "WANDB_CACHE_DIR": str(place / "wandb-cache")}
    made.run("dvc", "repro", WANDB_MODE="offline", **own)
    return made


class Trainings:
    """A project in which stages run in forked processes, which may be killed."""

    models = MODELS

    def __init__(self, place: Path) -> None:
        self.place = place
        self.processes = multiprocessing.get_context("forkserver")
        imported = [*HEAVY, *(f"foundling.stages.{stage}" for stage in (*MODELS, *DATA))]
        self.processes.set_forkserver_preload(imported)

    def start(self, stage: str, config: str = "config.yaml", **environment: str) -> BaseProcess:
        variables = {
            "stage": stage,
            "place": str(self.place),
            "config": config,
            "environment": environment,
        }
        process = self.processes.Process(target=exec, args=(COMMAND, variables))
        process.start()
        return process

    def run(self, stage: str) -> float:
        """Run to the end; the seconds from when the folder was taken, if one was."""
        process = self.start(stage)
        began = self.wait_until_taken(process, stage)
        process.join()
        assert process.exitcode == 0, (self.place / "log").read_text()[-3000:]
        return time.monotonic() - began

    def wait_until_taken(self, process: BaseProcess, stage: str) -> float:
        """When the process took its folder in scratch/, or ended."""

        def holders() -> list[object]:
            return [read_holder(lock.parent)["process"] for lock in self.scratch(stage).glob("*/lock")]

        return self.wait(process, lambda: process.pid in holders())

    def wait_until_trained(self, process: BaseProcess, stage: str) -> float:
        """When the process wrote a checkpoint, or ended."""
        before = list(self.scratch(stage).glob("*/step-*"))
        return self.wait(process, lambda: list(self.scratch(stage).glob("*/step-*")) != before)

    def wait(self, process: BaseProcess, happened: Callable[[], bool]) -> float:
        while process.is_alive() and not happened():
            time.sleep(0.005)
        return time.monotonic()

    def scratch(self, stage: str) -> Path:
        return self.place / "scratch" / stage

    def results(self, stage: str) -> dict[str, str]:
        """The hashes of all that the stage wrote, but for the record of the run, which holds times."""
        places = [self.place / "models" / name for name in MODELS[stage]]
        places += [*self.place.glob("plots/*"), *self.place.glob("metrics/*[!n].json")]
        return {str(place.relative_to(self.place)): sha256(place) for place in places}

    def clear(self, stage: str) -> None:
        """Take away what the stage wrote, as `dvc repro` does before it runs one again."""
        for name in MODELS[stage]:
            shutil.rmtree(self.place / "models" / name, ignore_errors=True)
        for folder in ("plots", "metrics"):
            shutil.rmtree(self.place / folder, ignore_errors=True)


@pytest.fixture(scope="session")
def trainings(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trainings]:
    """All that the training stages read, and a base model."""
    place = tmp_path_factory.mktemp("kills")
    (place / "conf").symlink_to(root / "conf")
    (place / "params.yaml").write_text(yaml.safe_dump(KILLED))
    made = Trainings(place)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("OMP_NUM_THREADS", "1")
        patched.chdir(place)
        composed = config.compose(selected())
        OmegaConf.save(composed, place / "config.yaml", resolve=True)
        composed.classify.lora.dropout = composed.train_translator.model.dropout = 0.0
        OmegaConf.save(composed, place / "without_dropout.yaml", resolve=True)
        OmegaConf.update(composed, "runtime.trainer.strategy", "fsdp", force_add=True)
        OmegaConf.save(composed, place / "fsdp.yaml", resolve=True)
        composed.model.lookup_heads = 0  # tensor parallelism cannot divide them
        composed.runtime.trainer.strategy = "tp"
        OmegaConf.save(composed, place / "tp.yaml", resolve=True)
        for stage in (*DATA, "pretrain"):
            made.run(stage)
        yield made
