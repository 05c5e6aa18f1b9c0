"""Fetch the weights that pretraining begins from, if not from scratch, into data/raw/weights."""

from pathlib import Path

from omegaconf import DictConfig

from foundling.artifacts import atomic_folder, write_json
from foundling.config import section
from foundling.data.pretrained import fetch_weights

WEIGHTS, NOTE = Path("data/raw/weights"), "asked.json"


def run(config: DictConfig, out: Path) -> None:
    """Fetch what the composed `weights` section names, and note that section; from scratch there is nothing else."""
    mirror = Path(config.runtime.mirror).expanduser() if config.runtime.mirror else None
    settings = section(config, "weights")
    with atomic_folder(out / WEIGHTS) as folder:
        fetch_weights(settings, folder, mirror)
        write_json(folder / NOTE, settings)
