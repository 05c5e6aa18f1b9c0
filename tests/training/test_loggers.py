"""A training that goes on after a kill goes on in the same W&B run, also offline."""

from pathlib import Path
from typing import Any

import pytest

from foundling.artifacts import read_json
from foundling.training.loggers import RUN, finish, make_wandb

SETTINGS = {"wandb": "offline", "project": "foundling", "name": None, "group": None, "tags": []}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_same_folder_means_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("WANDB_SILENT", "true")

    def run(scratch: str) -> Any:
        (tmp_path / scratch).mkdir(exist_ok=True)
        logger = make_wandb(SETTINGS, {"seed": 1}, "pretrain", tmp_path, tmp_path / scratch)
        assert logger is not None
        found = logger.experiment.id
        logger.log_metrics({"train/loss": 2.0}, step=1)
        assert finish(logger) == f"offline, run {found}"
        return found

    first, again, other = run("one"), run("one"), run("two")
    assert first == again != other
    assert read_json(tmp_path / "one" / RUN) == {"id": first}


def test_without_wandb_no_run_is_noted(tmp_path: Path) -> None:
    assert make_wandb(SETTINGS | {"wandb": False}, {}, "pretrain", tmp_path, tmp_path) is None
    assert not (tmp_path / RUN).exists()
