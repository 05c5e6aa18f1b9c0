"""Fetch the pretrained weights that pretraining starts from, if any, into data/raw/weights."""

from pathlib import Path

from foundling.artifacts import atomic_folder, write_json
from foundling.data.pretrained import fetch_weights
from foundling.settings import Job

WEIGHTS, NOTE = Path("data/raw/weights"), "settings.json"


def run(job: Job) -> None:
    """Fetch the files that the section `weights` names, if any, and record that section."""
    with atomic_folder(job.out / WEIGHTS) as folder:
        fetch_weights(job.settings.weights, folder, job.settings.runtime.mirror_folder)
        write_json(folder / NOTE, job.recipe["weights"])
