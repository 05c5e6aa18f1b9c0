"""On a server, synced offline runs have their group and lineage, and a resumed training has one run."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from foundling import tracking

from .stand_in import StandIn, serve

PIPELINE = """
stages:
  tokenize: {deps: [data/raw/corpus], outs: [data/tokens], metrics: [metrics/data.json]}
  pretrain: {deps: [data/tokens], outs: [models/base]}
  instruct: {deps: [models/base], outs: [models/chat]}
"""
FILES = {
    "dvc.yaml": PIPELINE,
    "data/raw/corpus/a.txt": "a",
    "data/tokens/train.bin": "ids",
    "metrics/data.json": '{"vocab_size": 600, "rows": [{"source": "stories", "tokens": 3}]}',
    "models/base/model.safetensors": "weights",
    "models/chat/model.safetensors": "tuned",
}

SENT_AT_ONCE = {"WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL": "0.1"}
# logs three rows, then waits to be killed
LOGGING = """
import time
from pathlib import Path
from foundling import tracking
from foundling.config import compose
from foundling.settings import Job
run = tracking.start(Job.of(compose(["runtime.logger.wandb=online"])), "pretrain", Path("scratch"))
for step in (1, 2, 3):
    run.log({"step": step, "tokens": 8 * step, "train/loss": 1 / step})
time.sleep(600)
"""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[StandIn, dict[str, str]]]:
    """The stand-in, and the environment of a client with a key for it."""
    monkeypatch.delenv("WANDB_SERVICE", raising=False)  # the process of an earlier test's run
    with serve() as (stand_in, address):
        yield stand_in, os.environ | {"WANDB_BASE_URL": address, "WANDB_API_KEY": "0" * 40}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_synced_runs_have_their_group_and_lineage(
    server: tuple[StandIn, dict[str, str]], job: Callable[..., Any], tmp_path: Path
) -> None:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    stages, places = ("tokenize", "pretrain", "instruct"), []
    for stage in stages:
        run = tracking.start(job("runtime.logger.wandb=offline"), stage)
        run.log({"step": 1, "tokens": 8, "train/loss": 2.0})
        run.log_results(Path())
        run.finish()
        places += set((tmp_path / "wandb").glob("offline-run-*")) - set(places)
    stand_in, environment = server
    for place in places:
        command = [sys.executable, "-m", "wandb", "sync", str(place)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    names = {run.settings["jobType"]: name for name, run in stand_in.runs.items()}
    assert set(names) == set(stages)
    assert len({run.settings["groupName"] for run in stand_in.runs.values()}) == 1
    created = {
        artifact["artifactCollectionName"]: artifact
        for artifact in stand_in.artifacts
        if artifact["artifactTypeName"] != "run_table"
    }
    assert {name: made["runName"] for name, made in created.items() if name != "corpus"} == {
        "tokens": names["tokenize"],
        "tokenize-results": names["tokenize"],
        "base": names["pretrain"],
        "chat": names["instruct"],
    }
    assert {(run, used) for run, used in stand_in.used} == {
        (names["tokenize"], created["corpus"]["id"]),
        (names["pretrain"], created["tokens"]["id"]),
        (names["instruct"], created["base"]["id"]),
    }
    assert "sha256" in created["chat"]["metadata"]


@pytest.mark.slow
def test_a_training_that_was_killed_resumes_its_run_on_the_server(
    server: tuple[StandIn, dict[str, str]], bare_project: Path
) -> None:
    stand_in, environment = server
    (bare_project / "scratch").mkdir(exist_ok=True)

    def start(script: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", script]
        pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen(command, cwd=bare_project, env=environment | SENT_AT_ONCE, **pipes)

    def steps() -> list[int]:
        return [row["step"] for run in stand_in.runs.values() for row in run.history]

    killed = start(LOGGING)
    while killed.poll() is None and steps() != [1, 2, 3]:
        time.sleep(0.05)
    killed.kill()
    output, _ = killed.communicate()
    assert steps() == [1, 2, 3], output

    resumed = start(LOGGING.replace("(1, 2, 3)", "(3, 4)").replace("time.sleep(600)", "run.finish()"))
    output, _ = resumed.communicate()
    assert resumed.returncode == 0, output
    (run,) = stand_in.runs.values()  # the same one
    assert run.starts == 2, output
    assert steps() == [1, 2, 3, 3, 4]  # from the checkpoint after step 2
    numbers = [row["_step"] for row in run.history]
    assert numbers == sorted(set(numbers))
    assert run.summary["train/loss"] == {"min": 0.25, "last": 0.25}
    assert run.exit_code == 0
