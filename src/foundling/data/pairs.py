"""Read a dataset's records as sentence pairs, in the splits train, validation and test."""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from foundling.data.sources import Row, rows
from foundling.data.splits import split
from foundling.settings.training import TrainTranslator

log = logging.getLogger(__name__)
EMPTY_SIDE = "left out: a side is empty"


@dataclass(frozen=True)
class Pair:
    """A sentence, its translation, and the source of the dataset that it comes from."""

    source: str
    target: str
    origin: str


def sentence_pairs(folder: Path, settings: TrainTranslator, changes: Counter[str]) -> dict[str, list[Pair]]:
    """Read the fetched dataset in `folder` and split it; `changes` counts pairs that are left out, by reason.

    A record without its two texts, files of unequal length, and an empty split raise ValueError.
    """
    read = _from_parallel_files if settings.parallel else _from_records
    pairs = list(read(folder, settings, changes))
    complete = [pair for pair in pairs if pair.source and pair.target]
    if incomplete := len(pairs) - len(complete):
        log.warning(
            f"train_translator: {incomplete:,} of {len(pairs):,} pairs have an empty side and are left out"
        )
        changes[EMPTY_SIDE] += incomplete
    return split(complete, settings, "train_translator", prompt=lambda pair: pair.source, changes=changes)


def _from_records(folder: Path, settings: TrainTranslator, changes: Counter[str]) -> Iterator[Pair]:
    """Pairs from records with a field for each side."""
    for row in rows(folder, settings.dataset, defaultdict(lambda: changes)):
        source, target = (
            _text(row, "source", settings.fields.source),
            _text(row, "target", settings.fields.target),
        )
        yield Pair(source, target, row.source)


def _text(row: Row, side: str, field: str) -> str:
    value = row.record.get(field)
    if not isinstance(value, str):
        raise ValueError(
            f"{row.place} has no text {field!r} (its fields: {', '.join(map(str, row.record)) or 'none'}); "
            f"set train_translator.fields.{side} to the field that holds the {side} sentence, or fix the row"
        )
    return " ".join(value.split())


def _from_parallel_files(folder: Path, settings: TrainTranslator, changes: Counter[str]) -> Iterator[Pair]:
    """Pairs from the lines of two sources, named <origin>.<suffix of a side>."""
    assert settings.parallel is not None
    lines: dict[str, list[str]] = {source.name: [] for source in settings.dataset.sources}
    for row in rows(folder, settings.dataset, defaultdict(lambda: changes)):
        lines[row.source].append(" ".join(str(row.record.get("text", "")).split()))
    for origin in dict.fromkeys(name.rpartition(".")[0] for name in lines):
        source, target = f"{origin}.{settings.parallel.source}", f"{origin}.{settings.parallel.target}"
        if not {source, target} <= set(lines):
            raise ValueError(
                f"the sources are {', '.join(lines)}, but train_translator.parallel needs pairs such as "
                f"{source} and {target}; rename them"
            )
        if len(lines[source]) != len(lines[target]):
            raise ValueError(
                f"{source} has {len(lines[source]):,} lines and {target} {len(lines[target]):,}; fix the "
                "files, whose lines must be translations of each other"
            )
        yield from (Pair(*pair, origin) for pair in zip(lines[source], lines[target], strict=True))
