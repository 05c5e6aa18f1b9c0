"""Hash the user's own files that the pipeline reads: inputs.yaml, which DVC compares.

These are a dataset's sources with `path`, its named files with a `path` and no sha256, and the folder that
pretraining starts from. inputs.yaml names datasets and sources, not paths, so that it does not depend on
where the files are.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from foundling.data import pretrained
from foundling.data.digests import digest
from foundling.data.fetching import own_files
from foundling.data.places import in_project, named_on_disk
from foundling.metrics.data import Digest
from foundling.settings import Settings
from foundling.settings.datasets import Dataset, File

log = logging.getLogger(__name__)
INPUTS = "inputs.yaml"
SCRATCH = "scratch"
Files = list[tuple[Path, Path]]
# the pipeline's own outputs, which DVC tracks already; those after pretraining would change with each run
OUTPUTS = ("data", "models/base", "models/snapshots", "models/classifier", "models/chat", "models/translator")


def datasets_of(settings: Settings) -> dict[str, Mapping[str, Dataset]]:
    """{name for `fetch.dataset`: {folder below data/raw/<name>: dataset}}."""
    return {
        "corpus": {".": settings.corpus},
        "benchmarks": settings.evaluate.benchmarks,
        "classify": {".": settings.classify.dataset},
        "instruct": {".": settings.instruct.dataset},
        "train_translator": {".": settings.train_translator.dataset},
    }


def inputs(settings: Settings, recorded: Mapping[str, Any]) -> dict[str, dict[str, JsonValue]]:
    """{dataset, weights or pretrain: {source: {files, sha256}}}, with empty inner dicts without own files.

    Files that no longer exist keep the hash that is `recorded`: the copies that were fetched stay in use.
    """
    mirror = settings.runtime.mirror_folder
    listed = {name: dict(_sources(datasets, mirror)) for name, datasets in datasets_of(settings).items()}
    listed["weights"] = dict(_named(settings.weights.files, "weights", mirror))
    if path := settings.weights.path:
        own = in_project(path)
        listed["weights"]["path"] = lambda: [(file, Path(file.name)) for file in pretrained.own_files(own)]
    listed["pretrain"] = dict(_start(settings.pretrain.init_from))
    return {name: _digests(name, sources, recorded.get(name) or {}) for name, sources in listed.items()}


def _digests(
    name: str, sources: Mapping[str, Callable[[], Files]], recorded: Mapping[str, JsonValue]
) -> dict[str, JsonValue]:
    """{source: {files, sha256}}, with the recorded hashes of files that no longer exist."""
    digests: dict[str, JsonValue] = {}
    for source, list_files in sources.items():
        try:
            digests[source] = asdict(digest(list_files()))
        except (ValueError, OSError) as error:
            digests[source] = recorded.get(source)  # if None, the stage that reads them reports the error
            if digests[source] is not None:
                log.warning(
                    f"compose: {name}.{source} stays as it was fetched, since its files are gone: {error}"
                )
    return digests


def own_digests(dataset: Dataset) -> Iterator[tuple[str, Path, Digest]]:
    """(source, its path, its digest now) for each source with a `path` whose files are there."""
    for source in dataset.sources:
        if source.path:
            try:
                yield source.name, in_project(source.path), digest(own_files(source))
            except (ValueError, OSError):
                continue


def _sources(
    datasets: Mapping[str, Dataset], mirror: Path | None
) -> Iterator[tuple[str, Callable[[], Files]]]:
    """(source, function that lists its files) of all sources that read own files."""
    for folder, dataset in datasets.items():
        for source in dataset.sources:
            name = source.name if folder == "." else f"{folder}.{source.name}"
            if source.path:
                yield name, partial(own_files, source)
            else:
                yield from _named(source.files or (), name, mirror)


def _named(
    files: Sequence[File], name: str, mirror: Path | None
) -> Iterator[tuple[str, Callable[[], Files]]]:
    """The named files that are read from a `path`; those with a sha256 in the config cannot change."""
    own = [file for file in files if file.path and not file.sha256]
    if own:
        yield name, lambda: [found for file in own for found in named_on_disk(file, mirror)]


def _start(init_from: str) -> Iterator[tuple[str, Callable[[], Files]]]:
    """The model folder that pretraining starts from, if it is the user's own."""
    if init_from == SCRATCH or any(Path(init_from).is_relative_to(output) for output in OUTPUTS):
        return
    if not Path(init_from).expanduser().exists() and in_project(init_from).exists():
        raise ValueError(
            f"pretrain.init_from={init_from} is not in the temporary copy of the project that `dvc exp run` "
            "works in with --queue or --temp; use an absolute path, or leave these options out"
        )
    yield "init_from", lambda: _all_files(Path(init_from).expanduser())


def _all_files(folder: Path) -> Files:
    if folder.is_file():
        return [(folder, Path(folder.name))]
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    if not files:
        raise ValueError(f"pretrain.init_from={folder}: the folder has no files; name a folder with a model")
    return [(file, file.relative_to(folder)) for file in files]
