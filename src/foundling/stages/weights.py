"""Fetch the weights that pretraining begins from, if not from scratch, into data/raw/weights."""

from pathlib import Path

from foundling.artifacts import atomic_folder, write_json
from foundling.config import section
from foundling.data.pretrained import fetch_weights
from foundling.settings import Job

WEIGHTS, NOTE = Path("data/raw/weights"), "asked.json"


def run(job: Job) -> None:
    """Fetch what the composed `weights` section names, and note that section; from scratch there is nothing else."""
    config, out = job.config, job.out
    mirror = Path(config.runtime.mirror).expanduser() if config.runtime.mirror else None
    settings = section(config, "weights")
    with atomic_folder(out / WEIGHTS) as folder:
        fetch_weights(settings, folder, mirror)
        write_json(folder / NOTE, settings)
