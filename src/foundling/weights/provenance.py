"""Where a model comes from: its configuration, its inputs, and the run that made it.

There are two records, since only one of them is equal on every machine: `provenance` is part of the model
folder and holds what determines the model; `run_record` holds the commit, the times and the machine of the
run.
"""

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foundling.artifacts import read_json, sha256
from foundling.device import name_of
from foundling.metrics.run import Run

if TYPE_CHECKING:
    import torch

PROVENANCE = "provenance.json"
PACKAGES = ("torch", "lightning", "tiktoken", "numpy")


def provenance(recipe: dict[str, Any], inputs: list[Path], parent: Path | None) -> dict[str, Any]:
    """All that determines a model: composed sections, sha256 of each input, parent model, package versions.

    The stages add the model's `metrics` when it is saved.
    """
    return {
        "config": recipe,
        "inputs": {str(path): sha256(path) for path in inputs},
        "parent": {str(parent): sha256(parent)} if parent else None,
        "versions": {name: version(name).partition("+")[0] for name in PACKAGES},
    }


def read_provenance(folder: Path) -> dict[str, Any]:
    """The folder's provenance.json; empty without one."""
    record: dict[str, Any] = read_json(folder / PROVENANCE) if (folder / PROVENANCE).is_file() else {}
    return record


def recorded_files(folder: Path) -> dict[str, str]:
    """The sha256 of each file according to the folder's provenance.json; empty without one."""
    files = read_provenance(folder).get("files")
    return files if isinstance(files, dict) else {}


def run_record(
    weights: Path,
    seconds: dict[str, float],
    tokens_per_second: float,
    device: "torch.device",
    wandb: str | None,
    deterministic: bool | None = None,
    microbatches: int | None = None,
) -> Run:
    """The run that made these weights: git commit, overrides, machine, device, times and speed."""
    import torch
    from hydra.core.hydra_config import HydraConfig

    commit = git("rev-parse", "HEAD")
    return Run(
        weights_sha256=sha256(weights),
        commit=commit,
        dirty=bool(git("status", "--porcelain", "--untracked-files=no", "--", ".")) if commit else None,
        overrides=tuple(HydraConfig.get().overrides.task) if HydraConfig.initialized() else (),
        python=platform.python_version(),
        machine=f"{platform.system()} {platform.machine()}",
        device=name_of(device) + (f", {torch.get_num_threads()} threads" if device.type == "cpu" else ""),
        seconds={name: round(value, 1) for name, value in seconds.items()},
        tokens_per_second=round(tokens_per_second),
        wandb=wandb,
        deterministic=deterministic,
        microbatches=microbatches,
    )


def git(*arguments: str) -> str | None:
    """The output of git, or None without git or outside a repository."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
