"""Sentence pairs: a dataset's records in, pairs in the splits train, validation and test out.

fields               which field of a record holds which side
  source: source
  target: target
parallel: null       instead, as {source: en, target: de}: files whose lines pair up, of sources named <name>.en and
                     <name>.de; their part in front of the stop is the source that splits go by
split                how they are split, as data/splits.py tells it
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foundling.data.sources import records, rows
from foundling.data.splits import split
from foundling.settings.datasets import RandomSplit
from foundling.validation import build

log = logging.getLogger(__name__)
SIDES = ("source", "target")
ONE_SIDED = "left out: a side is empty"


@dataclass(frozen=True)
class Pair:
    """A sentence, its translation, and the source of the dataset that it comes from."""

    source: str
    target: str
    origin: str


def sentence_pairs(
    folder: Path, recipe: Mapping[str, Any], changes: Counter[str] | None = None
) -> dict[str, list[Pair]]:
    """Read what sources.fetch() put into `folder` and split it; pairs of which a side is empty are left out.

    `changes` counts what is left out or changed, by reason.

    A record without its two texts, files of unequal length, and an empty split raise ValueError that names the row, the
    file or the setting.
    """
    changes = Counter() if changes is None else changes
    found = list((_parallel if recipe["parallel"] else _recorded)(folder, recipe, changes))
    whole = [pair for pair in found if pair.source and pair.target]
    if len(whole) < len(found):
        log.warning(
            f"train_translator: {len(found) - len(whole):,} of {len(found):,} pairs lack a side and are left out"
        )
        changes[ONE_SIDED] += len(found) - len(whole)
    return split(
        whole,
        build(RandomSplit, recipe["split"], "translator.split"),
        recipe["seed"],
        stage="train_translator",
        dataset=recipe["dataset"]["name"],
        source=lambda pair: pair.origin,
        prompt=lambda pair: pair.source,
        changes=changes,
    )


def _recorded(folder: Path, recipe: Mapping[str, Any], changes: Counter[str]) -> Iterator[Pair]:
    """Pairs of records that hold both sides."""
    for row in rows(folder, recipe["dataset"], defaultdict(lambda: changes)):
        source, target = (_text(row.record, side, recipe["fields"], row.place) for side in SIDES)
        yield Pair(source, target, row.source)


def _text(record: Mapping[str, Any], side: str, fields: Mapping[str, str], place: str) -> str:
    value = record.get(fields[side])
    if not isinstance(value, str):
        raise ValueError(
            f"{place} has no text {fields[side]!r} (found {', '.join(map(str, record)) or 'nothing'}); set "
            f"train_translator.fields.{side} to the field that holds the {side} sentence, or fix the row"
        )
    return " ".join(value.split())


def _parallel(folder: Path, recipe: Mapping[str, Any], changes: Counter[str]) -> Iterator[Pair]:
    """Pairs of files: line i of the one translates line i of the other."""
    files: dict[str, list[str]] = {source["name"]: [] for source in recipe["dataset"]["sources"]}
    for name, record in records(folder, recipe["dataset"], changes):
        files[name].append(" ".join(str(record.get("text", "")).split()))
    ends = [recipe["parallel"][side] for side in SIDES]
    for origin in dict.fromkeys(name.rpartition(".")[0] for name in files):
        sides = [files.get(f"{origin}.{end}") for end in ends]
        if sides[0] is None or sides[1] is None:
            raise ValueError(
                f"found sources {', '.join(files)}; with train_translator.parallel each is named <name>.{ends[0]} or "
                f"<name>.{ends[1]}, and both are there; fix the names"
            )
        if len(sides[0]) != len(sides[1]):
            raise ValueError(
                f"{origin}.{ends[0]} has {len(sides[0]):,} lines and {origin}.{ends[1]} {len(sides[1]):,}; line i of "
                "the one translates line i of the other; fix the files"
            )
        yield from (Pair(source, target, origin) for source, target in zip(*sides, strict=True))
