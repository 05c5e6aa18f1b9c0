"""A sweep of trainings that is killed ends with the table of an undisturbed one; jobs may run in parallel."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from foundling.artifacts import sha256
from foundling.sweeps.records import read_jobs, read_sweep
from foundling.sweeps.status import statuses

# runs `foundling …` in a process that was forked from one that has imported all, and kills it on the way
COMMAND = """
import os, signal, sys
from hydra.core.hydra_config import HydraConfig
from foundling import __main__ as app
from foundling.training import checkpoint, resume, run

os.chdir(place)
for number, name in ((1, "out"), (2, "err")):
    os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
resume.OVERHEAD = float("inf")
save, publish = checkpoint.save, run.publish


def die_in(job):
    if HydraConfig.get().job.num == job:
        os.kill(os.getpid(), signal.SIGKILL)


def save_and_die(folder, step, state):
    path = save(folder, step, state)
    if step == 4:
        die_in(in_training)
    return path


def die_or_publish(results, out):
    die_in(before_results)
    publish(results, out)


checkpoint.save, run.publish = save_and_die, die_or_publish
sys.argv = ["foundling", *arguments]
app.main()
"""
SHORT = ("pretrain", "-m", "pretrain.max_steps=8", "pretrain.validate_every=4", "pretrain.snapshots=0")
GRID = (*SHORT, "pretrain.seed=1,2", "pretrain.optimizer.lr=0.01,0.02,0.04")
SEARCH = (
    *(*SHORT, "hydra/sweeper=optuna", "hydra.sweeper.n_trials=6", "hydra.sweeper.startup_trials=3"),
    *("hydra.sweeper.pruning.startup_trials=2", "pretrain.optimizer.lr=tag(log,interval(0.0001,0.1))"),
)
PARALLEL = (*SHORT, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "pretrain.seed=1,2,3")


class Sweeps:
    """Sweeps in a project of their own, each started several times."""

    def __init__(self, trainings) -> None:
        self.trainings, self.place = trainings, trainings.place
        shutil.rmtree(self.place / "multirun", ignore_errors=True)

    def run(
        self, *arguments: str, in_training: int | None = None, before_results: int | None = None
    ) -> int | None:
        """The exit code of the command, which is killed in one of the jobs."""
        variables = {
            "place": str(self.place),
            "arguments": arguments,
            "in_training": in_training,
            "before_results": before_results,
        }
        process = self.trainings.processes.Process(target=exec, args=(COMMAND, variables))
        process.start()
        process.join()
        return process.exitcode

    def output(self, name: str) -> str:
        return (self.place / name).read_text()

    def folders(self) -> list[Path]:
        return sorted((self.place / "multirun/pretrain").iterdir())

    def results(self, sweep: Path) -> dict[str, str]:
        """The hashes of the models, metrics and curves of all jobs."""
        files = [
            *sweep.glob("*/models/base"),
            *sweep.glob("*/plots/*"),
            *sweep.glob("*/metrics/pretrain.json"),
        ]
        return {str(file.relative_to(sweep)): sha256(file) for file in files}


@pytest.fixture
def sweeps(trainings, monkeypatch: pytest.MonkeyPatch) -> Sweeps:
    monkeypatch.chdir(trainings.place)
    return Sweeps(trainings)


def test_a_sweep_that_is_killed_twice_ends_as_an_undisturbed_one(sweeps: Sweeps) -> None:
    assert sweeps.run(*GRID) == 0, sweeps.output("err")[-3000:]
    (undisturbed,) = sweeps.folders()
    table = sweeps.output("out")

    assert sweeps.run(*GRID, in_training=1) == -signal.SIGKILL
    killed = sweeps.folders()[-1]
    record = read_sweep(killed)
    assert record is not None
    states = [row.state for row in statuses(killed, record)]
    assert states == ["finished", "interrupted at step 4", *4 * ["waiting"]]
    first = (killed / "0/models/base/model.safetensors").stat()

    assert sweeps.run(*GRID, before_results=3) == -signal.SIGKILL
    said = sweeps.output("err")
    assert f"continuing {killed.relative_to(sweeps.place)}: 1 of 6 jobs are done" in said
    assert said.count("resuming from step 4") == 1

    assert sweeps.run(*GRID) == 0, sweeps.output("err")[-3000:]
    said = sweeps.output("err")
    assert "3 of 6 jobs are done" in said
    assert said.count("is kept: finished before") == 3
    assert said.count("resuming from step 8") == 1  # its training was done, its results were not published
    assert sweeps.folders() == [undisturbed, killed]
    assert sweeps.output("out") == table.replace(undisturbed.name, killed.name)
    assert "pretrain.val/loss" in table
    assert "best: job" in table
    assert (killed / "0/models/base/model.safetensors").stat() == first
    assert sweeps.results(killed) == sweeps.results(undisturbed)
    values = [json.loads((sweep / "5/job.json").read_text())["value"] for sweep in sweeps.folders()]
    assert values[0] == values[1]


def test_a_search_that_is_killed_makes_the_same_choices_again(sweeps: Sweeps) -> None:
    pytest.importorskip("optuna", reason="the extra `sweeps` is not installed")
    assert sweeps.run(*SEARCH) == 0, sweeps.output("err")[-3000:]
    (undisturbed,) = sweeps.folders()
    table = sweeps.output("out")
    records = read_jobs(undisturbed)
    assert len(records) == 6
    assert len({record.overrides for record in records.values()}) == 6
    pruned = [number for number, record in records.items() if record.state == "pruned"]
    assert pruned
    assert f"job {pruned[0]}: pruned after step 4" in table
    assert not (undisturbed / f"{pruned[0]}/models").exists()
    assert not [*(sweeps.place / "scratch/pretrain").glob("*/step-*")]

    assert sweeps.run(*SEARCH, in_training=4) == -signal.SIGKILL
    assert sweeps.run(*SEARCH) == 0, sweeps.output("err")[-3000:]
    assert sweeps.output("err").count("is kept: ") == 4
    (_, killed) = sweeps.folders()
    assert sweeps.output("out") == table.replace(undisturbed.name, killed.name)
    assert sweeps.results(killed) == sweeps.results(undisturbed)


def test_jobs_run_in_parallel_with_the_results_of_jobs_in_turn(sweeps: Sweeps) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="the extra `sweeps` is not installed")
    command = [sys.executable, "-m", "foundling", *PARALLEL]
    done = subprocess.run(command, cwd=sweeps.place, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "launching 3 jobs" in done.stderr
    assert "best: job" in done.stdout
    in_turn = [one for one in PARALLEL if not one.startswith("hydra")]
    assert sweeps.run(*in_turn) == 0, sweeps.output("err")[-3000:]
    parallel, serial = sweeps.folders()
    assert sweeps.results(parallel) == sweeps.results(serial)
    assert len(sweeps.results(parallel)) >= 6
    assert not [*(sweeps.place / "scratch/pretrain").glob("*/lock")]


def test_a_job_that_fails_in_another_process_is_one_line(sweeps: Sweeps) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="the extra `sweeps` is not installed")
    wrong = [*PARALLEL[:-1], "model.n_head=2,3"]  # only the first job is checked before the others start
    done = subprocess.run(
        [sys.executable, "-m", "foundling", *wrong], cwd=sweeps.place, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("foundling: ")]
    assert len(lines) == 1
    assert "job 1: model.head_dim=null: needs n_embd=32 to be divisible by n_head=3" in lines[0]
    (folder,) = sweeps.folders()
    record = read_sweep(folder)
    assert record is not None
    assert [row.state for row in statuses(folder, record)] == ["finished", "waiting"]
