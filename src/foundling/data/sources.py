"""Read the records of a fetched dataset (data/fetching.py), source by source."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from foundling.artifacts import fingerprint
from foundling.data.formats import read
from foundling.metrics import read_metrics
from foundling.metrics.data import Fetched
from foundling.settings.datasets import ORIGINS, Dataset, Source

META = "meta.json"
FETCHED_BY = ("members", "format", *ORIGINS)  # the settings that decide which bytes a source brings
_SOURCE = TypeAdapter(Source)


@dataclass(frozen=True)
class Row:
    """A record, the name of its source, and its location for error messages: "a/b.csv:3 of source mine"."""

    source: str
    place: str
    record: dict[str, Any]


def rows(folder: Path, dataset: Dataset, tallies: Mapping[str, Counter[str]] | None = None) -> Iterator[Row]:
    """Yield records with their locations; `tallies` count what is left out or changed, by source and reason.

    A record without the text field, and a folder that was fetched with other settings, raise ValueError.
    """
    fetched = read_fetched(folder)
    if fetched.settings != fingerprints(dataset):
        raise ValueError(
            f"{folder} was fetched with other sources than {dataset.name} has now; run `dvc repro fetch` "
            f"first"
        )
    for source in dataset.sources:
        tally = Counter[str]() if tallies is None else tallies[source.name]
        for path in _files(folder, fetched, source.name):
            file = path.relative_to(folder / source.name).as_posix()
            for line, record in read(path, source, tally):
                if source.text and not isinstance(record.get(source.text), str):
                    fields = ", ".join(map(str, record)) or "no fields"
                    has = "a value that is not text" if source.text in record else f"only {fields}"
                    raise ValueError(
                        f"{path}:{line} has no text field {source.text!r} (it has {has}); fix that row, or "
                        f"set {source.setting('text')} to the field with the text"
                    )
                yield Row(source.name, f"{file}:{line} of source {source.name}", record)


def read_fetched(folder: Path) -> Fetched:
    """What fetching recorded in a dataset's folder."""
    return read_metrics(folder / META, Fetched)


def fingerprints(dataset: Dataset) -> dict[str, str]:
    """A hash of each source's settings that affect its files, not of how they are read, mixed or cleaned."""
    prints = {}
    for source in dataset.sources:
        values = _SOURCE.dump_python(source, mode="json", exclude_defaults=True)
        prints[source.name] = fingerprint({key: values[key] for key in FETCHED_BY if values.get(key)})
    return prints


def _files(folder: Path, fetched: Fetched, source: str) -> Iterator[Path]:
    """The files that meta.json lists for a source; ValueError for one outside of the source's folder."""
    names = [file.file for file in fetched.sources.get(source, ())]
    wrong = [name for name in names if Path(name).is_absolute() or ".." in Path(name).parts]
    if wrong or not names:
        raise ValueError(
            f"{folder / META} lists {repr(wrong[0]) if wrong else 'no files'} for source {source}; it must "
            f"list files below {folder / source}; fetch it again with `dvc repro --force fetch`"
        )
    yield from (folder / source / name for name in names)
