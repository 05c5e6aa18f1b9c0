"""A sweep of trainings that is killed twice ends with the table of an undisturbed one."""

import json
import signal
from pathlib import Path

import pytest

from foundling.artifacts import sha256
from foundling.sweeps.records import read_sweep
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
ARGUMENTS = (
    *("pretrain", "-m", "pretrain.seed=1,2", "pretrain.optimizer.lr=0.01,0.02,0.04"),
    *("pretrain.max_steps=8", "pretrain.validate_every=4", "pretrain.snapshots=0"),
)


class Sweeps:
    """The same sweep, started several times."""

    def __init__(self, trainings) -> None:
        self.trainings, self.place = trainings, trainings.place

    def run(self, in_training: int | None = None, before_results: int | None = None) -> int | None:
        """The exit code of the command, which is killed in one of the jobs."""
        variables = {
            "place": str(self.place),
            "arguments": ARGUMENTS,
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
    assert sweeps.run() == 0, sweeps.output("err")[-3000:]
    (undisturbed,) = sweeps.folders()
    table = sweeps.output("out")

    assert sweeps.run(in_training=1) == -signal.SIGKILL
    killed = sweeps.folders()[-1]
    record = read_sweep(killed)
    assert record is not None
    states = [row.state for row in statuses(killed, record)]
    assert states == ["finished", "interrupted at step 4", *4 * ["waiting"]]
    first = (killed / "0/models/base/model.safetensors").stat()

    assert sweeps.run(before_results=3) == -signal.SIGKILL
    said = sweeps.output("err")
    assert f"continuing {killed.relative_to(sweeps.place)}: 1 of 6 jobs are done" in said
    assert said.count("resuming from step 4") == 1

    assert sweeps.run() == 0, sweeps.output("err")[-3000:]
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
