"""Fetch the corpus, the benchmarks and pretrained weights into data/raw, each file checked."""

from pathlib import Path

from omegaconf import DictConfig

from foundling.artifacts import atomic_folder
from foundling.config import section
from foundling.data.pretrained import fetch_weights
from foundling.data.sources import fetch

CORPUS, BENCHMARKS, WEIGHTS = Path("data/raw/corpus"), Path("data/raw/benchmarks"), Path("data/raw/weights")
DATASETS = ("corpus", "benchmarks", "weights", "all")


def run(config: DictConfig, out: Path) -> None:
    """Fetch what `fetch.dataset` names: the corpus, the benchmarks, the weights, or all."""
    wanted = config.fetch.dataset
    if wanted not in DATASETS:
        raise ValueError(f"found fetch.dataset={wanted}; allowed are {', '.join(DATASETS)}; try fetch.dataset=all")
    mirror = Path(config.runtime.mirror).expanduser() if config.runtime.mirror else None
    if wanted in ("corpus", "all"):
        with atomic_folder(out / CORPUS) as folder:
            fetch(section(config, "corpus"), folder, mirror)
    if wanted in ("benchmarks", "all"):
        with atomic_folder(out / BENCHMARKS) as folder:
            for name, benchmark in section(config, "evaluate")["benchmarks"].items():
                fetch(benchmark, folder / name, mirror)
    if wanted in ("weights", "all"):
        with atomic_folder(out / WEIGHTS) as folder:
            fetch_weights(section(config, "weights"), folder, mirror)
