"""Fetch the weights that pretraining begins from, if not from scratch, into data/raw/weights."""

from pathlib import Path

from omegaconf import DictConfig

from foundling.artifacts import atomic_folder
from foundling.config import section
from foundling.data.pretrained import fetch_weights

WEIGHTS = Path("data/raw/weights")


def run(config: DictConfig, out: Path) -> None:
    """Fetch what the composed `weights` section names; from scratch the folder stays empty."""
    mirror = Path(config.runtime.mirror).expanduser() if config.runtime.mirror else None
    with atomic_folder(out / WEIGHTS) as folder:
        fetch_weights(section(config, "weights"), folder, mirror)
