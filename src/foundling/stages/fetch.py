"""Fetch the corpus and the benchmarks into data/raw, each file checked by its SHA-256."""

from pathlib import Path

from omegaconf import DictConfig

from foundling.artifacts import atomic_folder
from foundling.config import section
from foundling.data.sources import fetch

CORPUS, BENCHMARKS = Path("data/raw/corpus"), Path("data/raw/benchmarks")


def run(config: DictConfig, out: Path) -> None:
    """Fetch what `fetch.dataset` names: the corpus, the benchmarks, or all."""
    wanted = config.fetch.dataset
    if wanted not in ("corpus", "benchmarks", "all"):
        raise ValueError(f"found fetch.dataset={wanted}; allowed are corpus, benchmarks, all; try fetch.dataset=all")
    mirror = Path(config.runtime.mirror).expanduser() if config.runtime.mirror else None
    if wanted != "benchmarks":
        with atomic_folder(out / CORPUS) as folder:
            fetch(section(config, "corpus"), folder, mirror)
    if wanted != "corpus":
        with atomic_folder(out / BENCHMARKS) as folder:
            for name, benchmark in section(config, "evaluate")["benchmarks"].items():
                fetch(benchmark, folder / name, mirror)
