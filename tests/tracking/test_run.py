"""A run is started once, resumed by its training, and never fails a stage."""

import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foundling import tracking
from foundling.artifacts import read_json
from foundling.settings import Job
from foundling.tracking.run import NOTE, TrackedRun

ALONE = """
import sys
from pathlib import Path
from foundling import tracking
from foundling.config import compose
from foundling.settings import Job
assert tracking.start(Job.of(compose(["logger=none"])), "tokenize").wandb is None
print(sorted({"torch", "lightning", "wandb"} & set(sys.modules)))
"""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_same_folder_means_the_same_run(tmp_path: Path, job: Callable[..., Any]) -> None:
    def run(scratch: str) -> str:
        (tmp_path / scratch).mkdir(exist_ok=True)
        started = tracking.start(job("runtime.logger.wandb=offline"), "pretrain", tmp_path / scratch)
        assert started.wandb is not None
        found: str = started.wandb.id
        assert started.address == f"offline, run {found}"
        started.finish()
        return found

    first, again, other = run("one"), run("one"), run("two")
    assert first == again != other
    assert read_json(tmp_path / "one" / NOTE) == {"id": first}
    # where `wandb leet` looks, sweeps included
    assert len(list((tmp_path / "wandb").glob("offline-run-*"))) == 3


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_stage_that_fails_is_a_failed_run(
    tmp_path: Path, job: Callable[..., Any], wandb_records: Callable[..., Any]
) -> None:
    def evaluate(job: Job) -> None:
        raise ValueError("no such benchmark")

    evaluate.__module__ = "foundling.stages.evaluate"
    with pytest.raises(ValueError, match="no such benchmark"):
        tracking.logged(evaluate)(job("runtime.logger.wandb=offline", "evaluate.seed=7"))
    (place,) = (tmp_path / "wandb").glob("offline-run-*")
    records = wandb_records(place)
    assert records["exit"][0]["exit_code"] == 1
    assert records["run"][0]["job_type"] == "evaluate"
    assert records["run"][0]["config"]["update"]["evaluate"]["seed"] == 7


@pytest.mark.parametrize(
    ("switch", "value"), [("WANDB_DISABLED", "true"), ("WANDB_DISABLED", "1"), ("WANDB_MODE", "disabled")]
)
def test_switched_off_no_run_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, job: Callable[..., Any], switch: str, value: str
) -> None:
    monkeypatch.setenv(switch, value)
    assert tracking.start(job(), "pretrain", tmp_path).wandb is None
    assert not (tmp_path / NOTE).exists()


def test_without_wandb_no_heavy_package_is_imported(bare_project: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ALONE], cwd=bare_project, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_only_the_first_process_of_a_training_logs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, job: Callable[..., Any]
) -> None:
    monkeypatch.setenv("RANK", "1")
    assert tracking.start(job("runtime.logger.wandb=offline"), "pretrain", tmp_path).wandb is None
    assert not (tmp_path / "wandb").exists()


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.name == "foundling.tracking.run"]


class Broken:
    """A run whose service is gone."""

    offline, id = True, "0"
    exit_codes: list[int]

    def __init__(self) -> None:
        self.exit_codes = []

    def log(self, row: dict[str, float]) -> None:
        raise ConnectionError("the service is gone")

    def finish(self, exit_code: int) -> None:
        self.exit_codes.append(exit_code)
        raise ConnectionError("the service is still gone")


def test_a_service_that_is_gone_is_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    broken = Broken()
    run = TrackedRun(broken, "pretrain")  # type: ignore[arg-type]
    run.log({"train/loss": 1.0})
    run.log({"train/loss": 0.5})
    run.log_results(tmp_path)
    run.finish()
    assert warnings(caplog) == ["W&B: cannot log a row, nor anything after it (the service is gone)"]
    assert broken.exit_codes == [1]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_death_of_wandbs_process_is_one_warning_and_the_next_run_has_a_new_one(
    job: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    run = tracking.start(job("runtime.logger.wandb=offline"), "pretrain")
    processes = [thing for thing in gc.get_objects() if isinstance(thing, subprocess.Popen)]
    for process in processes:
        if "wandb-core" in str(process.args):
            process.kill()
            process.wait()  # else Popen warns of it in a later test
    end = time.monotonic() + 60
    while run.wandb is not None and time.monotonic() < end:
        run.log({"train/loss": 1.0})
        time.sleep(0.05)
    assert run.wandb is None
    (warning,) = warnings(caplog)
    assert warning.startswith("W&B: cannot log a row, nor anything after it (")
    again = tracking.start(job("runtime.logger.wandb=offline"), "pretrain")
    assert again.address is not None
    caplog.clear()
    print("The training goes on.", file=sys.stderr)  # must not be sent to the dead process
    again.finish()
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize(("stage", "expected"), [(None, "agents"), ("pretrain", None)])
def test_the_id_of_wandbs_agent_names_a_run_but_not_each_stage_of_a_pipeline(
    monkeypatch: pytest.MonkeyPatch, stage: str | None, expected: str | None
) -> None:
    from foundling.tracking.run import _id

    monkeypatch.setenv("WANDB_RUN_ID", "agents")
    if stage:
        monkeypatch.setenv("DVC_STAGE", stage)
    assert (_id(None) == "agents") == (expected == "agents")


def test_the_shipped_sweep_runs_our_command(root: Path, job: Callable[..., Any]) -> None:
    import yaml
    from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

    from foundling.metrics import to_plain
    from foundling.metrics.pretrain import Pretrain
    from foundling.tracking.tables import summary

    sweep = yaml.safe_load((root / "conf/sweep/wandb.yaml").read_text())
    values = {
        name: {"value": values.get("min", values.get("values", [None])[0])}
        for name, values in sweep["parameters"].items()
    }
    arguments = create_sweep_command_args({"args": values})
    program, command, multirun, folder, *overrides = [
        argument
        for part in create_sweep_command(sweep["command"])
        for argument in (arguments[part[2:-1]] if part.startswith("${") else [part])
    ]
    assert (program, command, multirun) == ("foundling", "pretrain", "-m")
    assert folder.startswith("hydra.sweep.dir=multirun/pretrain/")
    assert job(*overrides).settings.pretrain.optimizer.partial().keywords["lr"] == 0.002
    measures = Pretrain(val_loss=2.0, val_perplexity=7.0, val_bits_per_byte=1.0, tokens=1, parameters=1)
    Path("metrics").mkdir()
    Path("metrics/pretrain.json").write_text(json.dumps(to_plain(measures)))
    assert summary("pretrain", Path())[sweep["metric"]["name"]] == 2.0
