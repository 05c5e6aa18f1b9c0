"""A fetched dataset to records: the files that data/fetching.py brought, read source by source."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from foundling.artifacts import fingerprint, read_json
from foundling.data.formats import read
from foundling.metrics import from_plain
from foundling.metrics.data import LeftOutFiles
from foundling.settings.datasets import ORIGINS, Dataset, Source

META = "meta.json"
FETCHED_BY = ("members", "format", *ORIGINS)  # the settings that decide which bytes a source brings
_SOURCE = TypeAdapter(Source)


@dataclass(frozen=True)
class Row:
    """A record, the name of its source, and its place for errors: "a/b.csv:3 of source mine"."""

    source: str
    place: str
    record: dict[str, Any]


def records(folder: Path, dataset: Dataset, tally: Counter[str] | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (source name, record); `tally` counts what is left out or changed, by reason."""
    counts = Counter[str]() if tally is None else tally
    for row in rows(folder, dataset, defaultdict(lambda: counts)):
        yield row.source, row.record


def rows(folder: Path, dataset: Dataset, tallies: Mapping[str, Counter[str]] | None = None) -> Iterator[Row]:
    """Yield records with their places; `tallies` count by source what is left out or changed, by reason.

    A record without the text field that is set, and a folder that was fetched with other settings, raise ValueError.
    """
    meta = read_json(folder / META)
    if meta.get("settings") != fingerprints(dataset):
        raise ValueError(
            f"{folder} was fetched with other sources than {dataset.name} has now; run `dvc repro fetch` first"
        )
    for source in dataset.sources:
        tally = Counter[str]() if tallies is None else tallies[source.name]
        for path in _files(folder, meta, source.name):
            file = path.relative_to(folder / source.name).as_posix()
            for line, record in read(path, source, tally):
                if source.text and not isinstance(record.get(source.text), str):
                    fields = ", ".join(map(str, record)) or "no fields"
                    has = "a value that is no text" if source.text in record else f"only {fields}"
                    raise ValueError(
                        f"{path}:{line} has no text field {source.text!r} (it has {has}); fix that row, or set "
                        f"{source.setting('text')} to the field that holds the text"
                    )
                yield Row(source.name, f"{file}:{line} of source {source.name}", record)


def left_out(folder: Path) -> dict[str, dict[str, LeftOutFiles]]:
    """The files that fetching left out, by source and reason."""
    return from_plain(read_json(folder / META).get("left_out", {}), dict[str, dict[str, LeftOutFiles]], folder / META)


def fingerprints(dataset: Dataset) -> dict[str, str]:
    """What decides which bytes each source brings; how they are read, mixed and cleaned may change without a fetch."""
    prints = {}
    for source in dataset.sources:
        values = _SOURCE.dump_python(source, mode="json", exclude_defaults=True)
        prints[source.name] = fingerprint({key: values[key] for key in FETCHED_BY if values.get(key)})
    return prints


def _files(folder: Path, meta: Mapping[str, Any], source: str) -> Iterator[Path]:
    """The files that meta.json lists for a source; one that is not below the source's folder is refused."""
    listed = (meta.get("sources") or {}).get(source)
    for file in listed if isinstance(listed, list) else [None]:
        name = file.get("file") if isinstance(file, dict) else None
        if not isinstance(name, str) or Path(name).is_absolute() or ".." in Path(name).parts:
            raise ValueError(
                f"{folder / META} lists {name!r} for source {source}; it must list files below {folder / source}; "
                "fetch it again with `dvc repro --force fetch`"
            )
        yield folder / source / name
