"""A training's folder is found by its provenance, locked by one process, and released when that ends."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from foundling import scratch
from foundling.scratch import list_checkpoints, lock_folder, start_run, unfinished_runs

ORIGIN: dict[str, Any] = {
    "config": {"pretrain": {"max_steps": 9, "faults": {"action": "stop"}}},
    "inputs": {"data/tokens/meta.json": "ab12"},
}
HOLD = """
import sys, time
sys.argv = ["foundling pretrain", "seed=1"]
from foundling.scratch import start_run
import json, os
start_run("pretrain", json.loads(sys.stdin.read()))
if os.fork() == 0:
    time.sleep(60)  # as a data worker that outlives its training
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def holder() -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the folder of ORIGIN, and has a child."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(ORIGIN))
    process.stdin.close()
    assert process.stdout.readline() == "held\n"
    yield process
    process.stdout.close()
    os.killpg(process.pid, 9)
    process.wait()


def test_the_folder_follows_from_what_the_result_is_made_of() -> None:
    def folder(origin: dict[str, Any], stage: str = "pretrain") -> Path:
        return start_run(stage, origin).path

    assert folder(ORIGIN) == folder(json.loads(json.dumps(ORIGIN)))
    assert folder(ORIGIN).parent == Path("scratch/pretrain")
    other_action = {**ORIGIN, "config": {"pretrain": {"max_steps": 9, "faults": {"action": "skip"}}}}
    assert folder(other_action) == folder(ORIGIN)  # what was done until now is the same
    more_steps = {**ORIGIN, "config": {"pretrain": {"max_steps": 10, "faults": {"action": "stop"}}}}
    other_input = {**ORIGIN, "inputs": {"data/tokens/meta.json": "cd34"}}
    assert len({folder(ORIGIN), folder(more_steps), folder(other_input), folder(ORIGIN, "classify")}) == 4


def test_a_second_process_is_refused_until_the_first_is_killed(holder: subprocess.Popen[str]) -> None:
    with pytest.raises(
        ValueError, match=rf"in use by foundling pretrain \(process {holder.pid} on .* `kill {holder.pid}`"
    ):
        start_run("pretrain", ORIGIN)
    holder.kill()  # and not its child
    holder.wait()
    start_run("pretrain", ORIGIN).remove()
    assert list(unfinished_runs()) == []
    assert list(Path("scratch/pretrain").iterdir()) == []


def test_what_was_being_written_is_removed_and_all_else_is_kept() -> None:
    work = start_run("pretrain", ORIGIN)
    for name in (".checkpoint.7.ab.part", "train.csv"):
        (work.path / name).write_text("x")
    (work.path / "snapshots/.step-1.7.ab.part").mkdir(parents=True)
    again = start_run("pretrain", ORIGIN)
    assert sorted(p.name for p in again.path.rglob("*")) == [scratch.LOCK, "snapshots", "train.csv"]


def test_a_lock_that_was_removed_with_its_folder_is_taken_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    work = start_run("pretrain", ORIGIN)
    real, calls = scratch.fcntl.lockf, []

    def slow(descriptor: int, how: int) -> None:
        if not calls:
            work.remove()  # the first process is done just after the second has opened the file
        calls.append(how)
        real(descriptor, how)

    monkeypatch.setattr(scratch.fcntl, "lockf", slow)
    held = lock_folder(work.path)
    assert len(calls) == 2
    assert held is not None
    assert (work.path / scratch.LOCK).is_file()


def test_further_processes_of_one_training_share_its_folder(
    holder: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    work = start_run("pretrain", ORIGIN)
    work.remove()
    assert work.path.is_dir()


def test_checkpoints_are_listed_from_the_newest(tmp_path: Path) -> None:
    for step, digit in ((3, "a"), (100_000_000, "b"), (20, "c"), (20, "d")):
        (tmp_path / f"step-{step:08d}-{digit * 64}.safetensors").touch()
        time.sleep(0.01)
    (tmp_path / "step-00000099-short.safetensors").touch()
    assert [path.name.split("-")[2][0] for path in list_checkpoints(tmp_path)] == ["b", "d", "c", "a"]
