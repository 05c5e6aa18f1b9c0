"""Each training stage, killed with SIGKILL at random moments, gives the same bytes as without."""

import multiprocessing
import os
import random
import shutil
import time
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf

from foundling import config
from foundling.artifacts import sha256
from foundling.scratch import read_holder
from foundling.selection import selected

KILLS, SEED = 5, 20  # of each stage
STAGES = {
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
log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
os.dup2(log, 1), os.dup2(log, 2)
logging.basicConfig(level=logging.INFO)
resume.OVERHEAD = float("inf")
importlib.import_module(f"foundling.stages.{stage}").run(Job.of(OmegaConf.load("config.yaml"), Path()))
"""


def generated(name: str, splits: dict[str, int], **more: object) -> list[dict[str, object]]:
    return [
        {"name": split, "generate": {"name": name, "seed": 1, "count": count, "split": split, **more}}
        for split, count in splits.items()
    ]


SELECTION = {
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


class Workspace:
    """A project in which stages run as processes of their own."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.processes = multiprocessing.get_context("forkserver")
        imported = [*HEAVY, *(f"foundling.stages.{stage}" for stage in (*STAGES, *DATA))]
        self.processes.set_forkserver_preload(imported)

    def start(self, stage: str) -> BaseProcess:
        process = self.processes.Process(
            target=exec, args=(COMMAND, {"stage": stage, "place": str(self.place)})
        )
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
        places = [self.place / "models" / name for name in STAGES[stage]]
        places += [*self.place.glob("plots/*"), *self.place.glob("metrics/*[!n].json")]
        return {str(place.relative_to(self.place)): sha256(place) for place in places}

    def clear(self, stage: str) -> None:
        """Take away what the stage wrote, as `dvc repro` does before it runs one again."""
        for name in STAGES[stage]:
            shutil.rmtree(self.place / "models" / name, ignore_errors=True)
        for folder in ("plots", "metrics"):
            shutil.rmtree(self.place / folder, ignore_errors=True)


@pytest.fixture(scope="module")
def workspace(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """One with all that the stages read; the base is of an undisturbed pretraining."""
    place = tmp_path_factory.mktemp("kills")
    (place / "conf").symlink_to(root / "conf")
    (place / "params.yaml").write_text(yaml.safe_dump(SELECTION))
    made = Workspace(place)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("OMP_NUM_THREADS", "1")
        patched.chdir(place)
        OmegaConf.save(config.compose(selected()), place / "config.yaml", resolve=True)
        for stage in DATA:
            made.run(stage)
        yield made


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_that_is_killed_at_random_moments_writes_the_same_bytes(
    workspace: Workspace, stage: str
) -> None:
    workspace.clear(stage)
    seconds = workspace.run(stage)
    whole = workspace.results(stage)
    assert len(whole) >= 4
    moments = random.Random(f"{SEED} {stage}")
    killed = 0
    while killed < KILLS:
        process = workspace.start(stage)
        if killed % 2:  # anywhere, also in what comes before and after the training
            workspace.wait_until_taken(process, stage)
            time.sleep(moments.uniform(0, 0.6 * seconds))
        else:
            workspace.wait_until_trained(process, stage)
            time.sleep(moments.uniform(0, 0.1 * seconds))
        if process.is_alive():
            os.kill(process.pid or 0, 9)
        process.join()
        if process.exitcode == -9:
            killed += 1
            for name in STAGES[stage]:  # an artifact is there in whole or not at all
                model = workspace.place / "models" / name
                assert not model.exists() or whole[f"models/{name}"] == sha256(model)
        else:  # it went on so far before that there was not enough left: once more from the start
            assert process.exitcode == 0, (workspace.place / "log").read_text()[-3000:]
            assert workspace.results(stage) == whole
        workspace.clear(stage)
    workspace.run(stage)
    assert workspace.results(stage) == whole
    assert list(workspace.scratch(stage).iterdir()) == []
