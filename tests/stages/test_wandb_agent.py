"""`wandb sweep` and `wandb agent` run our command, against a stand-in for W&B's server."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.tracking.stand_in import serve

# what a run of this process leaves in its environment
LEFT_BY_RUNS = ("WANDB_SERVICE", "WANDB_SILENT")
SHORT = ["pretrain.max_steps=4", "pretrain.validate_every=2", "pretrain.snapshots=0", "logger=auto"]


@pytest.mark.slow
def test_the_agent_of_a_sweep_runs_our_command_with_the_servers_settings(
    trainings: Any, root: Path, tmp_path: Path
) -> None:
    sweep = yaml.safe_load((root / "conf/sweep/wandb.yaml").read_text())
    number = sweep["command"].index("pretrain.max_steps=200")
    sweep["command"][number : number + 1] = SHORT
    (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(sweep))
    own = ("WANDB_CONFIG_DIR", "WANDB_DATA_DIR", "WANDB_CACHE_DIR", "NETRC")
    inherited = {name: value for name, value in os.environ.items() if name not in LEFT_BY_RUNS}
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    def wandb(*arguments: str) -> str:
        command = [sys.executable, "-m", "wandb", *arguments]
        done = subprocess.run(command, cwd=trainings.place, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    with serve() as (server, address):
        environment = inherited | {name: str(tmp_path / name) for name in own} | {"PATH": programs}
        environment |= {"WANDB_BASE_URL": address, "WANDB_API_KEY": "0" * 40, "WANDB_MODE": "online"}
        said = wandb("sweep", str(tmp_path / "sweep.yaml"))
        name = re.search(r"wandb agent (\S+)", said)
        assert name is not None, said
        said = wandb("agent", "--count", "2", name[1])

    assert server.unknown == set()
    assert len(server.runs) == 2, said
    for number, (run_id, run) in enumerate(server.runs.items()):
        assert run.exit_code == 0, said
        assert run.settings["groupName"] == f"sweep-{run.settings['sweep']}"
        assert run.config["pretrain.batch_size"] == [8, 16][number]
        assert run.config["pretrain"]["batch_size"] == [8, 16][number]
        (folder,) = trainings.place.glob(f"multirun/pretrain/*_{run_id}/0")
        metrics = yaml.safe_load((folder / "metrics/pretrain.json").read_text())
        assert run.summary["pretrain/val/loss"] == metrics["val/loss"]
