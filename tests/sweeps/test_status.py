"""The table of a sweep's jobs says how far each has come, and the commands run them again."""

import os
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from foundling.overrides import prepare
from foundling.scratch import lock_folder
from foundling.sweeps.records import JobRecord, SweepRecord, best_job, write_job
from foundling.sweeps.status import single_command, statuses, sweep_command

JOBS = [(f"seed={seed}", f"pretrain.optimizer.lr={lr}") for seed in (1, 2) for lr in ("1e-2", "2e-2", "3e-2")]
SWEEP = SweepRecord(
    identity="a",
    command="pretrain",
    arguments=("seed=1,2", "pretrain.optimizer.lr=1e-2,2e-2,3e-2", "model=micro"),
    swept=("seed", "pretrain.optimizer.lr"),
    planned=tuple(JOBS),
)


def job(number: int, **more: object) -> JobRecord:
    overrides = ("corpus=fables", "model=micro", *JOBS[number])
    return replace(JobRecord(number=number, identity="j", overrides=overrides), **more)


def test_each_job_has_its_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    scratch = Path("scratch/pretrain/0123")
    scratch.mkdir(parents=True)
    (scratch / f"step-00001240-{64 * '0'}.safetensors").touch()
    write_job(Path("s/0"), job(0, state="finished", value=1.5))
    write_job(Path("s/1"), job(1, state="pruned", step=1000, value=2.5))
    write_job(Path("s/2"), job(2, state="diverged", reason="nan"))
    write_job(Path("s/3"), job(3, scratch=str(scratch)))
    write_job(Path("s/4"), job(4, scratch="scratch/pretrain/removed"))
    rows = statuses(Path("s"), SWEEP)
    states = ["finished", "pruned after step 1,000", "diverged", "interrupted at step 1,240"]
    assert [row.state for row in rows] == [*states, "interrupted at step 0", "waiting"]
    assert [row.values for row in rows[1:5:3]] == [("1", "2e-2"), ("2", "2e-2")]
    child = os.fork()  # a lock does not exclude the process that has it
    if not child:
        os._exit(0 if "interrupted" in statuses(Path("s"), SWEEP)[3].state else 1)
    assert os.waitpid(child, 0)[1] == 0
    lock = lock_folder(scratch)
    child = os.fork()
    if not child:
        running = statuses(Path("s"), SWEEP)[3].state == "running, checkpoint at step 1,240"
        os._exit(0 if running else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert lock is not None
    os.close(lock)


def test_the_best_job_is_the_one_with_the_lowest_loss_or_the_highest_accuracy() -> None:
    ended = {
        number: job(number, state="finished", value=value) for number, value in enumerate((2.0, 1.0, 3.0))
    }
    ended[3] = job(3, state="pruned", value=0.5, step=1)
    for command, number in (("pretrain", 1), ("instruct", 2)):
        best = best_job(command, ended)
        assert best is not None
        assert best.number == number
    assert best_job("pretrain", {}) is None


def test_a_job_by_itself_has_the_typed_settings_and_its_own_values() -> None:
    command = single_command(SWEEP, job(4))
    assert command == "foundling pretrain model=micro seed=2 pretrain.optimizer.lr=2e-2"
    chosen = replace(SWEEP, arguments=("+sweep=shakespeare_lr",))
    record = replace(job(4), overrides=("corpus=fables", "+sweep=shakespeare_lr", *JOBS[4]))
    words = single_command(chosen, record)
    assert words.endswith("+sweep=shakespeare_lr seed=2 pretrain.optimizer.lr=2e-2 hydra.mode=RUN")
    assert sweep_command(SWEEP).startswith("foundling pretrain -m seed=1,2 pretrain")
    assert sweep_command(chosen) == "foundling pretrain +sweep=shakespeare_lr"


@pytest.mark.parametrize("text", ["Müller (1), a.txt", "it's", "null", "${x}"])
def test_texts_arrive_as_they_were(root: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.chdir(root)
    first = prepare(None, ["hydra.mode=RUN", "corpus=files", f"corpus.path={text}"])
    sweep = replace(SWEEP, arguments=("corpus=files", "corpus.path=x"), swept=())
    record = replace(job(0), overrides=tuple(first.arguments[-2:]))
    again = prepare(None, shlex.split(single_command(sweep, record))[2:])
    assert first.config is not None
    assert again.config == first.config
