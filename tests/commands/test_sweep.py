"""sweep shows the jobs of a sweep; a sweep ends with its table, a page and the best job's command."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from foundling.artifacts import write_json
from foundling.commands import sweep
from foundling.settings import Job
from foundling.sweeps.records import JobRecord, SweepRecord, write_job, write_sweep

TIME = "2026-01-01_10-00-00"


def make_sweep(folder: Path, values: list[float], jobs: int = 3) -> Path:
    planned = tuple((f"instruct.seed={seed}",) for seed in range(jobs))
    arguments = (f"instruct.seed=range(0,{jobs})",)
    swept = ("instruct.seed",)
    write_sweep(
        folder,
        SweepRecord(identity="a", command="instruct", arguments=arguments, swept=swept, planned=planned),
    )
    for number, value in enumerate(values):
        place = folder / str(number)
        write_json(place / "metrics/instruct.json", {"tuned": {"share": value, "n": 3}})
        write_json(place / "metrics/instruct_run.json", {"overrides": list(planned[number])})
        record = JobRecord(
            number=number, identity="j", overrides=planned[number], state="finished", value=value
        )
        write_job(place, record)
    return folder


@pytest.fixture
def run(workspace: Callable[..., Job]) -> Callable[..., None]:
    return lambda *arguments: sweep.run(workspace("sweep", arguments))


def test_the_newest_sweep_is_shown(run: Any, tmp_path: Path, capsys: Any) -> None:
    make_sweep(Path("multirun/instruct/2025-01-01_10-00-00"), [0.1])
    make_sweep(Path("multirun/instruct") / TIME, [0.8, 0.9])
    run()
    out = " ".join(capsys.readouterr().out.split())
    assert "0 0 finished 0.8000" in out
    assert "2 2 waiting" in out
    assert "best: job 1, accuracy 0.9000 foundling instruct instruct.seed=1" in out
    assert "foundling instruct -m 'instruct.seed=range(0,3)' # continues" in out
    run("multirun/instruct/2025-01-01_10-00-00")
    assert "0.1000" in capsys.readouterr().out


def test_the_page_says_what_mattered(run: Any, capsys: Any) -> None:
    folder = make_sweep(Path("multirun/instruct") / TIME, [0.8, 0.9, 0.85])
    run()
    page = (folder / "sweep.html").read_text()
    assert "What mattered" in page
    assert "instruct.seed=1" in page
    assert page.count("<svg") == 2
    assert not re.search(r"<(script|link|img)|url\((?!#)|(src|href)=\"http", page)  # nothing from outside


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ((), "multirun has no sweep; run one, such as `foundling pretrain -m"),
        (("nowhere",), "no folder nowhere; name that of a sweep"),
        (("conf",), "conf has no sweep.json; name the folder of a sweep"),
    ],
)
def test_what_is_no_sweep_is_an_error(run: Any, name: tuple[str, ...], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        run(*name)


@pytest.mark.parametrize(("values", "table"), [([0.8, 0.9], True), ([0.8], False), ([], False)])
def test_a_sweep_ends_with_its_table_and_its_best_job(
    tmp_path: Path, capsys: Any, values: list[float], table: bool
) -> None:
    folder = make_sweep(tmp_path, values)
    config = OmegaConf.create({"hydra": {"sweep": {"dir": str(folder)}}, "compare": {"metrics": ["*.share"]}})
    sweep.AfterSweep().on_multirun_end(config)
    out = capsys.readouterr().out
    assert ("instruct.tuned.share" in out) == table
    assert ("best: job" in out) == bool(values)
