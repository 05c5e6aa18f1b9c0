"""`foundling clean` lists unfinished trainings, and removes those that no process uses."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from foundling.commands import clean
from foundling.scratch import FROZEN, SCRATCH, start_run, unfinished_runs, wait_for_folder
from foundling.settings import Job

HOLD = """
import time
from foundling.scratch import start_run
start_run("instruct", {"config": {}})
print(flush=True)
time.sleep(60)
"""


@pytest.fixture
def unfinished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, int]]:
    """A pretraining that stopped at step 1,300 two hours ago, and an instruction tuning that runs."""
    monkeypatch.chdir(tmp_path)
    work = start_run("pretrain", {"config": {}})
    newest = work.path / f"step-00001300-{'a' * 64}.safetensors"
    newest.write_bytes(bytes(3 << 20))
    (work.path / f"step-00001200-{'b' * 64}.safetensors").touch()
    assert work.lock is not None
    os.close(work.lock)
    for file in (*work.path.iterdir(), work.path):
        os.utime(file, (time.time() - 7200,) * 2)
    with subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield work.path, process.pid
        process.kill()


@pytest.fixture
def run(job: Callable[..., Job]) -> Callable[..., None]:
    return lambda delete: clean.run(job(f"clean.delete={delete}"))


def rows(text: str) -> dict[str, str]:
    return {line.split()[0]: " ".join(line.split()[1:]) for line in text.splitlines() if "scratch/" in line}


def test_it_lists_stage_step_age_and_size(
    run: Any, unfinished: tuple[Path, int], capsys: pytest.CaptureFixture[str]
) -> None:
    left, process = unfinished
    run(delete=False)
    found = rows(capsys.readouterr().out)
    assert found["pretrain"] == f"{left} 1,300 2 hours 3.0 left over"
    assert f"in use by process {process} on" in found["instruct"]
    assert [stage for stage, _ in unfinished_runs()] == ["instruct", "pretrain"]


def test_it_removes_unused_folders(
    run: Any, unfinished: tuple[Path, int], capsys: pytest.CaptureFixture[str]
) -> None:
    left, process = unfinished
    run(delete=True)
    found = rows(capsys.readouterr().out)
    assert found["pretrain"].endswith("removed")
    assert f"in use by process {process} on" in found["instruct"]
    assert [stage for stage, _ in unfinished_runs()] == ["instruct"]
    assert not left.exists()


def test_states_of_frozen_blocks_are_kept_until_they_are_removed(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    kept = wait_for_folder(SCRATCH / FROZEN / "ab12")
    (kept.path / "states.bin").write_bytes(bytes(2 << 20))
    kept.release()
    run(delete=False)
    place, step, *_, size, state = rows(capsys.readouterr().out)["frozen"].split(maxsplit=5)
    assert (place, step, size, state) == ("scratch/frozen/ab12", "-", "2.0", "kept for later trainings")
    run(delete=True)
    assert rows(capsys.readouterr().out)["frozen"].endswith("removed")
    assert not kept.path.exists()


def test_nothing_left_is_one_line(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    run(delete=True)
    assert capsys.readouterr().out == "no unfinished training in scratch/\n"


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.2, "0 seconds"), (59, "59 seconds"), (61, "1 minutes"), (7300, "2 hours"), (2e5, "2 days")],
)
def test_an_age_has_one_unit(seconds: float, told: str) -> None:
    assert clean.age(seconds) == told
