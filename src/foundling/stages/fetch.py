"""Fetch the corpus, the benchmarks and the tunings' datasets into data/raw, each file checked by its SHA-256."""

from pathlib import Path

from foundling.artifacts import atomic_folder
from foundling.config import section
from foundling.data.fetching import fetch
from foundling.data.inputs import SECTIONS, datasets_of
from foundling.data.sources import NAME
from foundling.settings import Job

RAW = Path("data/raw")


def run(job: Job) -> None:
    """Fetch what `fetch.dataset` names, or all."""
    config, out = job.config, job.out
    datasets = datasets_of({name: section(config, name) for name in SECTIONS})
    wanted = config.fetch.dataset
    if wanted not in (*datasets, "all"):
        raise ValueError(f"found fetch.dataset={wanted}; allowed are {', '.join(datasets)}, all; try fetch.dataset=all")
    mirror = Path(config.runtime.mirror).expanduser() if config.runtime.mirror else None
    for name in datasets if wanted == "all" else [wanted]:
        with atomic_folder(out / RAW / name) as folder:
            for place, dataset in datasets[name].items():
                if place != "." and not NAME.fullmatch(place):
                    raise ValueError(f"found a benchmark named {place!r}; allowed are letters, digits, _ . + and -")
                fetch(dataset, folder / place, mirror)
