"""Fetch corpus, benchmarks and fine-tuning datasets into data/raw, checking the SHA-256 of each file."""

from pathlib import Path

from foundling.artifacts import atomic_folder
from foundling.data.fetching import fetch
from foundling.data.inputs import datasets_of
from foundling.settings import Job

RAW = Path("data/raw")
# in a folder without datasets, since DVC warns about an empty one in each stage that reads it
EMPTY = "empty.txt"


def run(job: Job) -> None:
    """Fetch the dataset that `fetch.dataset` names, or all."""
    datasets = datasets_of(job.settings)
    selected = job.settings.fetch.dataset
    for name in datasets if selected == "all" else [selected]:
        with atomic_folder(job.out / RAW / name) as folder:
            for place, dataset in datasets[name].items():
                fetch(dataset, folder / place, job.settings.runtime.mirror_folder)
            if not datasets[name]:
                (folder / EMPTY).write_text("no dataset is selected\n", encoding="utf-8")
