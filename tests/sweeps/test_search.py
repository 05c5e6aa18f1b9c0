"""Optuna's search makes the same choices each time, learns from results, and ends bad jobs."""

from pathlib import Path

import pytest

from foundling.artifacts import write_csv
from foundling.config import loading
from foundling.parsing import parse
from foundling.sweeps.pruning import Pruning, finished_curves
from foundling.sweeps.records import JobRecord, write_job

optuna = pytest.importorskip("optuna", reason="the extra `sweeps` is not installed")
SPACE = ["lr=tag(log,interval(1e-4,1.0))", "layers=range(2,9,2)", "model=nano,micro", "seed=3"]


@pytest.fixture(autouse=True)
def project(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)


def search(*space: str, command: str = "pretrain", startup_trials: int = 2):
    from foundling.sweeps.search import Search

    with loading() as loader:
        return Search(parse(space or SPACE, loader), command, 1, startup_trials)


def record(value: float | None, **more: object) -> JobRecord:
    return JobRecord(number=0, identity="j", overrides=(), **{"state": "finished", "value": value, **more})


def loss_of(overrides: list[str]) -> float:
    values = dict(override.split("=") for override in overrides)
    return abs(float(values["lr"]) - 0.01) + int(values["layers"]) / 100 + (values["model"] == "nano")


def searched(count: int, most: int = 1) -> list[list[str]]:
    made, jobs = search(), []
    while len(jobs) < count:
        trials = made.ask(most)
        for trial in trials:
            jobs.append(made.overrides(trial))
            made.tell(trial, record(loss_of(jobs[-1])))
    return jobs


@pytest.mark.parametrize("most", [1, 3])
def test_the_same_results_lead_to_the_same_choices(most: int) -> None:
    assert searched(9, most) == searched(9, most)


def test_values_are_those_of_the_overrides() -> None:
    for job in searched(12):
        values = dict(override.split("=") for override in job)
        assert values["seed"] == "3"
        assert values["layers"] in ("2", "4", "6", "8")
        assert values["model"] in ("nano", "micro")
        assert 1e-4 <= float(values["lr"]) <= 1.0


def test_later_jobs_are_better_than_random_ones() -> None:
    losses = [loss_of(job) for job in searched(40)]
    assert sum(losses[-10:]) < sum(losses[:10]) / 2


def test_equal_jobs_do_not_run_at_the_same_time() -> None:
    made = search("model=nano,micro")
    batches = [made.ask(4) for _ in range(5)]
    for batch in batches:
        jobs = [tuple(made.overrides(trial)) for trial in batch]
        assert 1 <= len(jobs) == len(set(jobs)) <= 2
    numbers = [trial.number for batch in batches for trial in batch]
    assert numbers == list(range(len(numbers)))  # none is lost


@pytest.mark.parametrize("command", ["pretrain", "instruct"])
def test_what_ended_early_or_without_a_number_is_told_as_such(command: str) -> None:
    made = search(command=command)
    records = [record(None, state="diverged"), record(2.5, state="pruned", step=40), record(float("nan"))]
    for one in [*records, record(0.5)]:
        (trial,) = made.ask(1)
        made.tell(trial, one)
    assert [trial.state.name for trial in made.study.trials] == ["FAIL", "PRUNED", "FAIL", "COMPLETE"]
    sign = 1 if command == "pretrain" else -1
    assert made.study.trials[1].intermediate_values == {40: sign * 2.5}


def test_a_job_ends_if_its_losses_are_above_the_median_of_finished_ones() -> None:
    others = [{10: loss, 20: loss - 1} for loss in (3.0, 3.2, 3.4)]
    rule = Pruning(others, startup_trials=3, warmup_steps=0)
    assert rule.ends({10: 3.5})
    assert rule.ends({10: float("nan")})
    assert not rule.ends({10: 3.1})
    assert not rule.ends({10: 3.5, 20: 2.1})
    assert not Pruning(others[:2], startup_trials=3, warmup_steps=0).ends({10: 3.5})
    assert not Pruning(others, startup_trials=3, warmup_steps=15).ends({10: 3.5})


def test_only_finished_jobs_of_earlier_batches_count(tmp_path: Path) -> None:
    for number, state in enumerate(["finished", "pruned", "finished", "finished"]):
        folder = tmp_path / str(number)
        write_job(folder, JobRecord(number=number, identity="j", overrides=(), state=state, value=1.0))
        name = "validation" if number else "classify_validation"
        write_csv(folder / f"plots/{name}.csv", ("step", "val/loss"), [(5, number + 0.5)])
    assert finished_curves(tmp_path, "classify", before=3) == [{5: 0.5}, {5: 2.5}]
