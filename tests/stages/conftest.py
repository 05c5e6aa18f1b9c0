"""A project of its own in which the whole pipeline has run once, on a corpus of a few pages."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf

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


class Project:
    """A folder with conf/, params.yaml and dvc.yaml, and the two commands that one runs in it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def run(self, *command: str, succeeds: bool = True, typed: str = "") -> subprocess.CompletedProcess[str]:
        """Run a program in the project, offline, with the project's source and `typed` as input."""
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = os.environ | {
            "PATH": programs,
            "PYTHONPATH": str(self.path / "src"),
            "WANDB_MODE": "disabled",
            "DVC_NO_ANALYTICS": "1",
            "COLUMNS": "120",
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
    """The project after one `dvc repro`."""
    made = make_project(root, tmp_path_factory.mktemp("project"))
    made.select()
    made.run("dvc", "repro")
    return made
