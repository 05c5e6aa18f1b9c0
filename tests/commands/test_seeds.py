"""A sweep's jobs become one table of means with Student's interval."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import ttest_1samp

from foundling.artifacts import write_json
from foundling.commands import seeds
from foundling.settings import Job


def sweep(folder: Path, values: list[float], name: str = "instruct") -> Path:
    for job, value in enumerate(values):
        write_json(
            folder / str(job) / f"metrics/{name}.json", {"tuned": {"share": value, "n": 3}, "judge": None}
        )
    return folder


@pytest.fixture
def run(job: Callable[..., Job]) -> Callable[..., None]:
    def make(path: Path | None, metric: str) -> None:
        seeds.run(job(f"seeds.sweep={path or 'null'}", f"seeds.metrics=['{metric}']"))

    return make


def test_the_table_holds_mean_interval_and_each_job(tmp_path: Path, run: Any, capsys: Any) -> None:
    run(sweep(tmp_path, [0.8, 0.82, 0.84]), "instruct.*.share")
    out = " ".join(capsys.readouterr().out.split())  # a title wraps where the folder's name is long
    assert "3 jobs" in out
    assert "instruct.tuned.share" in out
    assert "0.8200" in out
    assert "0.8000 0.8200 0.8400" in out
    assert "tuned.n" not in out


def test_the_interval_is_students() -> None:
    values = [0.8, 0.83, 0.9, 0.7]
    low, high = ttest_1samp(values, 0).confidence_interval(0.95)
    assert seeds.interval(values) == pytest.approx((sum(values) / 4, low, high))


def test_jobs_keep_their_order_and_the_newest_sweep_is_taken(
    tmp_path: Path, run: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    sweep(Path("multirun/instruct/2026-01-01_10-00-00"), [0.1, 0.2])
    sweep(Path("multirun/classify/2026-01-02_10-00-00"), [n / 20 for n in range(12)])
    run(None, "*.share")
    assert "0.0000 0.0500 0.1000 0.1500 0.2000 0.2500 0.3000 0.3500 0.4000 0.4500 0.5000 0.5500" in " ".join(
        capsys.readouterr().out.split()
    )


@pytest.mark.parametrize(
    ("values", "metric", "says"),
    [
        ([0.5], "*.share", "has 1 jobs with metrics, but an interval needs at least 2"),
        (
            [0.5, 0.6],
            "*.nothing",
            "nothing: the 2 jobs of .* have no such metric in common; .* instruct.tuned.share",
        ),
    ],
)
def test_incomparable_jobs_are_errors(
    tmp_path: Path, run: Any, values: list[float], metric: str, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        run(sweep(tmp_path, values), metric)


def test_a_missing_sweep_is_an_error(tmp_path: Path, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="multirun has no sweep; run one, such as `foundling instruct -m"):
        run(None, "*")
