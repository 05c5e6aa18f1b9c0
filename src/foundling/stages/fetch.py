"""Fetch the corpus, the benchmarks, the tunings' datasets and pretrained weights into data/raw, each file checked."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from foundling.artifacts import atomic_folder
from foundling.config import section
from foundling.data.pretrained import fetch_weights
from foundling.data.sources import fetch

RAW, WEIGHTS = Path("data/raw"), "weights"


def run(config: DictConfig, out: Path) -> None:
    """Fetch what `fetch.dataset` names, or all."""
    datasets: dict[str, dict[str, dict[str, Any]]] = {
        "corpus": {".": section(config, "corpus")},
        "benchmarks": section(config, "evaluate")["benchmarks"],
        "classify": {".": section(config, "classify")["dataset"]},
        "instruct": {".": section(config, "instruct")["dataset"]},
    }
    wanted = config.fetch.dataset
    if wanted not in (*datasets, WEIGHTS, "all"):
        allowed = ", ".join((*datasets, WEIGHTS))
        raise ValueError(f"found fetch.dataset={wanted}; allowed are {allowed}, all; try fetch.dataset=all")
    mirror = Path(config.runtime.mirror).expanduser() if config.runtime.mirror else None
    for name in datasets if wanted == "all" else {wanted} & {*datasets}:
        with atomic_folder(out / RAW / name) as folder:
            for place, dataset in datasets[name].items():
                fetch(dataset, folder / place, mirror)
    if wanted in (WEIGHTS, "all"):
        with atomic_folder(out / RAW / WEIGHTS) as folder:
            fetch_weights(section(config, WEIGHTS), folder, mirror)
