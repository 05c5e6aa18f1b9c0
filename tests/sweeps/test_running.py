"""A sweep that was stopped is found again, and each of its jobs runs to its end once."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from foundling.artifacts import write_json
from foundling.outcomes import Diverged, Pruned
from foundling.sweeps.records import SWEEP, JobRecord, SweepRecord, read_job, read_sweep
from foundling.sweeps.running import finish_sweep, open_sweep, run_job

SWEEP_A = SweepRecord(
    identity="a",
    command="pretrain",
    arguments=("seed=1,2",),
    swept=("seed",),
    planned=(("seed=1",), ("seed=2",)),
)
JOB_A = JobRecord(number=0, identity="j", overrides=("seed=1",))


def ends(error: Exception) -> float:
    raise error


def test_a_finished_job_is_not_run_again(tmp_path: Path) -> None:
    assert run_job(JOB_A, tmp_path, lambda: 1.5) == 1.5
    assert run_job(JOB_A, tmp_path, lambda: ends(AssertionError("it ran"))) == 1.5
    assert run_job(replace(JOB_A, identity="other"), tmp_path, lambda: 2.5) == 2.5


def test_a_job_that_failed_is_run_again_and_remembers_its_scratch_folder(tmp_path: Path) -> None:
    write_json(tmp_path / "job.json", {"number": 0, "identity": "j", "overrides": [], "scratch": "scratch/x"})
    with pytest.raises(ValueError, match="no disk"):
        run_job(JOB_A, tmp_path, lambda: ends(ValueError("no disk")))
    assert read_job(tmp_path) == replace(JOB_A, scratch="scratch/x")
    assert run_job(JOB_A, tmp_path, lambda: 1.0) == 1.0


@pytest.mark.parametrize(
    ("error", "state", "value"),
    [(Diverged("the loss is nan"), "diverged", None), (Pruned(40, 2.5), "pruned", 2.5)],
)
def test_a_training_that_ended_early_is_recorded_and_kept(
    tmp_path: Path, error: Exception, state: str, value: float | None
) -> None:
    assert run_job(JOB_A, tmp_path, lambda: ends(error)) is None
    record = read_job(tmp_path)
    assert record is not None
    assert (record.state, record.value) == (state, value)
    assert run_job(JOB_A, tmp_path, lambda: ends(AssertionError("it ran"))) is None


def test_a_stopped_sweep_continues_in_its_folder_and_a_finished_one_does_not(tmp_path: Path) -> None:
    first, second, third = (tmp_path / name for name in ("10", "11", "12"))
    assert open_sweep(SWEEP_A, first, search=True) == (first, "")
    run_job(JOB_A, first / "0", lambda: 1.0)
    place, note = open_sweep(SWEEP_A, second, search=True)
    assert place == first
    assert "1 of 2 jobs are done; delete this folder to start over" in note
    assert not second.exists()
    finish_sweep(first)
    assert open_sweep(SWEEP_A, third, search=True) == (third, "")


def test_a_sweep_with_other_inputs_starts_over_and_says_why(tmp_path: Path) -> None:
    open_sweep(SWEEP_A, tmp_path / "10", search=True)
    changed = replace(SWEEP_A, identity="b")
    place, note = open_sweep(changed, tmp_path / "11", search=True)
    assert place == tmp_path / "11"
    assert "10 was stopped, its settings, inputs or code have changed" in note


def test_a_folder_that_is_named_keeps_its_sweep(tmp_path: Path) -> None:
    open_sweep(SWEEP_A, tmp_path / "mine", search=False)
    assert open_sweep(SWEEP_A, tmp_path / "other", search=False) == (tmp_path / "other", "")
    assert open_sweep(SWEEP_A, tmp_path / "mine", search=False)[0] == tmp_path / "mine"
    with pytest.raises(ValueError, match=r"mine has the jobs of another sweep.*hydra.sweep.dir"):
        open_sweep(replace(SWEEP_A, identity="b"), tmp_path / "mine", search=False)


def test_a_damaged_record_is_a_one_line_error(tmp_path: Path) -> None:
    (tmp_path / SWEEP).write_text("{")
    with pytest.raises(ValueError, match=r"sweep.json is not valid JSON"):
        read_sweep(tmp_path)
    (tmp_path / SWEEP).write_text(json.dumps({"identity": "a"}))
    with pytest.raises(ValueError, match=r"sweep.json: command is missing"):
        read_sweep(tmp_path)
