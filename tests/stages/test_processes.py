"""The number of processes changes no result: each training stage in one process and in several."""

import csv
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any

import pytest
from safetensors.torch import load_file

STAGES = ("pretrain", "classify", "instruct", "train_translator")
CONFIG = "without_dropout.yaml"  # several processes draw other masks than one
SHARDED = "fsdp.yaml"  # the same, with trainer=fsdp
DIVIDED = "tp.yaml"  # the same without lookup heads, with trainer=tp
TOLERANCE = 1e-4  # of the losses, in nats


def start(trainings: Any, stage: str, world: int, config: str = CONFIG) -> list[BaseProcess]:
    """One process for each rank, with the variables that torchrun sets."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "TORCHELASTIC_RUN_ID": "test"}
    shared |= {"WORLD_SIZE": str(world), "LOCAL_WORLD_SIZE": str(world)}
    return [
        trainings.start(stage, config, **shared, RANK=str(rank), LOCAL_RANK=str(rank))
        for rank in range(world)
    ]


def finish(trainings: Any, processes: list[BaseProcess]) -> None:
    for process in processes:
        process.join()
    codes = [process.exitcode for process in processes]
    assert codes == [0] * len(processes), (trainings.place / "log").read_text()[-3000:]


def results(trainings: Any, stage: str) -> tuple[list[float], dict[str, Any]]:
    """The losses of training and validation, and the weights."""
    losses = []
    for path in sorted((trainings.place / "plots").glob("*.csv")):
        with open(path) as file:
            for row in csv.DictReader(file):
                losses += [float(row[name]) for name in ("train/loss", "val/loss") if name in row]
    return losses, load_file(trainings.place / "models" / trainings.models[stage][0] / "model.safetensors")


def assert_equal(one: tuple[Any, Any], other: tuple[Any, Any]) -> None:
    assert len(one[0]) >= 8
    assert one[0] == pytest.approx(other[0], abs=TOLERANCE, rel=TOLERANCE)
    for name, weight in one[1].items():
        assert (weight - other[1][name]).abs().max() < 0.01, name


@pytest.fixture(scope="module")
def single(trainings: Any) -> Callable[[str], tuple[Any, Any]]:
    """The results of a stage in one process, computed once; they are removed, as before a new run."""
    known: dict[str, tuple[Any, Any]] = {}

    def of(stage: str) -> tuple[Any, Any]:
        trainings.clear(stage)
        if stage not in known:
            finish(trainings, [trainings.start(stage, CONFIG)])
            known[stage] = results(trainings, stage)
            trainings.clear(stage)
        return known[stage]

    return of


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_two_processes_compute_what_one_does_also_when_killed_and_resumed(
    trainings: Any, single: Any, stage: str
) -> None:
    alone = single(stage)
    finish(trainings, start(trainings, stage, 2))
    assert_equal(results(trainings, stage), alone)
    trainings.clear(stage)

    moments = random.Random(stage)
    first, second = start(trainings, stage, 2)
    trainings.wait_until_trained(first, stage)
    time.sleep(moments.uniform(0, 0.2))
    os.kill(second.pid or 0, signal.SIGKILL)
    second.join()
    first.join(60)  # it fails because the other is gone
    assert first.exitcode is not None
    (lone,) = start(trainings, stage, 1)
    trainings.wait_until_trained(lone, stage)
    os.kill(lone.pid or 0, signal.SIGKILL)
    lone.join()
    finish(trainings, start(trainings, stage, 2))
    assert_equal(results(trainings, stage), alone)


@pytest.mark.slow
def test_four_processes_compute_what_one_does(trainings: Any, single: Any) -> None:
    alone = single("pretrain")
    finish(trainings, start(trainings, "pretrain", 4))
    assert_equal(results(trainings, "pretrain"), alone)


def foundling(trainings: Any, *arguments: str) -> subprocess.Popen[str]:
    """`foundling pretrain` on two CPU processes, which it starts itself."""
    devices = ("trainer=ddp", "runtime.trainer.accelerator=cpu", "runtime.trainer.devices=2")
    command = [sys.executable, "-m", "foundling", "pretrain", *devices, *arguments]
    return subprocess.Popen(command, cwd=trainings.place, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_the_command_starts_its_processes_and_a_signal_stops_them_with_one_checkpoint(
    trainings: Any, single: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trainings.place)
    alone = single("pretrain")
    started = foundling(trainings)
    while started.poll() is None and not list(trainings.scratch("pretrain").glob("*/step-*")):
        time.sleep(0.05)
    started.send_signal(signal.SIGTERM)
    _, errors = started.communicate()
    assert started.returncode == 128 + signal.SIGTERM, errors
    assert errors.count("stopped by SIGTERM") == 1

    resumed = foundling(trainings)
    _, errors = resumed.communicate()
    assert resumed.returncode == 0, errors
    assert errors.count("resuming from step") == 1
    assert_equal(results(trainings, "pretrain"), alone)


@pytest.mark.slow
def test_an_error_in_each_process_is_one_line(trainings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trainings.place)
    failed = foundling(trainings, "model.context=100000")
    _, errors = failed.communicate()
    assert failed.returncode == 1
    assert errors.startswith("foundling: source 'stories' has ")
    assert errors.count("\n") == 1


def test_processes_for_which_there_is_no_launcher_are_refused(
    trainings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trainings.place)
    _, errors = foundling(trainings, "runtime.trainer.num_nodes=2").communicate()
    assert "start the command on each machine, by torchrun or srun" in errors
    _, errors = foundling(trainings, "-m", "seed=1,2").communicate()
    assert "the jobs of a sweep (-m) run on one device each" in errors


def stop(trainings: Any, stage: str, processes: list[BaseProcess]) -> None:
    """Send SIGTERM to all processes of a training once it has written a checkpoint."""
    trainings.wait_until_trained(processes[0], stage)
    for process in processes:
        os.kill(process.pid or 0, signal.SIGTERM)
    for process in processes:
        process.join()
        assert process.exitcode == 128 + signal.SIGTERM, (trainings.place / "log").read_text()[-3000:]


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["classify", "train_translator"])
def test_sharded_training_computes_what_one_process_does(trainings: Any, single: Any, stage: str) -> None:
    alone = single(stage)
    finish(trainings, start(trainings, stage, 2, SHARDED))
    assert_equal(results(trainings, stage), alone)


@pytest.mark.slow
def test_sharded_training_resumes_in_another_number_of_processes(trainings: Any, single: Any) -> None:
    alone = single("pretrain")
    stop(trainings, "pretrain", start(trainings, "pretrain", 2, SHARDED))
    stop(trainings, "pretrain", start(trainings, "pretrain", 1, SHARDED))
    finish(trainings, start(trainings, "pretrain", 2, SHARDED))
    assert_equal(results(trainings, "pretrain"), alone)


@pytest.mark.slow
def test_tensor_parallel_training_computes_what_one_process_does_and_resumes_in_another_number(
    trainings: Any,
) -> None:
    trainings.clear("pretrain")
    finish(trainings, start(trainings, "pretrain", 1, DIVIDED))
    alone = results(trainings, "pretrain")
    trainings.clear("pretrain")
    stop(trainings, "pretrain", start(trainings, "pretrain", 2, DIVIDED))
    stop(trainings, "pretrain", start(trainings, "pretrain", 1, DIVIDED))
    finish(trainings, start(trainings, "pretrain", 2, DIVIDED))
    assert_equal(results(trainings, "pretrain"), alone)
