"""Read a dataset's records as labelled texts, in the splits train, validation and test."""

import logging
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from foundling.data.sources import Row, read_fetched, rows
from foundling.data.splits import SPLITS, TEST, TRAIN, VALIDATION, split
from foundling.settings.training import Classify

log = logging.getLogger(__name__)
WHOLE_NUMBER = re.compile(r"(-?\d+)\.0+")  # how pandas writes integers in a column with missing values


@dataclass(frozen=True)
class Example:
    """A text with its label, its source, and its location for error messages."""

    text: str
    label: str
    place: str
    origin: str


@dataclass(frozen=True)
class Labelled:
    """The labels in the order of their ids, each split's examples, and counts of rows read and dropped.

    `left_out` are the examples that balancing removed.
    """

    labels: list[str]
    splits: dict[str, list[Example]]
    counts: dict[str, int]
    left_out: list[Example]

    def texts(self, split: str) -> list[str]:
        return [example.text for example in self.splits[split]]

    def ids(self, split: str) -> np.ndarray:
        """A split's label ids, (N,)."""
        index = {label: i for i, label in enumerate(self.labels)}
        return np.array([index[example.label] for example in self.splits[split]], dtype=np.int64)


def read_labelled(folder: Path, settings: Classify, changes: Counter[str]) -> Labelled:
    """Read a fetched dataset, drop duplicates, and split it; `changes` counts changes by reason.

    A row without text or label (unless those are dropped), a label that training lacks, fewer than two
    labels, and an empty split raise ValueError that names the row or the setting.
    """
    missing: list[str] = []
    examples = list(_examples(folder, settings, missing, changes))
    if missing and settings.missing == "refuse":
        raise ValueError(
            f"{len(missing):,} of {len(missing) + len(examples):,} rows lack a text or a label (first: "
            f"{missing[0]}); fill them in, or set classify.missing=drop"
        )
    _warn_of_similar_labels(examples)
    kept, contradicting = examples, 0
    if settings.deduplicate:
        kept, contradicting = _deduplicate(examples, settings.split.by == "source")
    splits = split(kept, settings, "classify", label=lambda example: example.label, balance=settings.balance)
    labels = _labels(splits, _label_names(settings))
    counts = {
        "read": len(examples) + len(missing),
        "missing": len(missing),
        "duplicates": len(examples) - len(kept),
        "contradicting": contradicting,
        "left_out_files": sum(
            r.files for reasons in read_fetched(folder).left_out.values() for r in reasons.values()
        ),
    }
    log.info(
        f"classify: {counts['read']:,} texts with {len(labels)} labels; dropped {counts['missing']:,} "
        f"without a text or label, and {counts['duplicates']:,} duplicates ({contradicting:,} of them with a "
        "different label)"
    )
    chosen = {example for part in splits.values() for example in part}
    return Labelled(labels, splits, counts, [example for example in kept if example not in chosen])


def label_text(value: Any) -> str | None:
    """A label as stripped text, equal in all file formats: 1.0 is "1", True is "true"; None if it is missing.

    A list or a mapping raises TypeError.
    """
    if isinstance(value, bytes):
        value = value.decode()
    if isinstance(value, str):
        value = value.strip()
        number = WHOLE_NUMBER.fullmatch(value)
        return (number[1] if number else value) or None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list | tuple | set | Mapping):
        raise TypeError(type(value).__name__)
    return None if value is None else str(value)


def _examples(
    folder: Path, settings: Classify, missing: list[str], changes: Counter[str]
) -> Iterator[Example]:
    """The rows as examples; the places of rows without a text or a label are added to `missing`."""
    names = _label_names(settings)
    for row in rows(folder, settings.dataset, defaultdict(lambda: changes)):
        text, label = _text(row, settings), _label(row, settings)
        if label is None or text is None or not text.strip():
            missing.append(row.place)
            continue
        if names and label not in names:
            raise ValueError(
                f"{row.place} has the label {label!r}, but classify.label_names has only {', '.join(names)}; "
                "add it there, or correct the row"
            )
        yield Example(text, names[label] if names else label, row.place, row.source)
    for reason, count in changes.items():
        log.warning(f"classify: {count:,} {reason}")


def _label_names(settings: Classify) -> dict[str, str]:
    return {label_text(label) or "": name for label, name in (settings.label_names or {}).items()}


def _text(row: Row, settings: Classify) -> str | None:
    value = _value(row, settings.text, "text")
    if isinstance(value, bytes | list | Mapping):
        raise ValueError(
            f"{row.place} has a {type(value).__name__}, not a text, in the column {settings.text!r}; set "
            "classify.text to the column that holds the text"
        )
    is_missing = value is None or (isinstance(value, float) and math.isnan(value))
    return None if is_missing else str(value)


def _label(row: Row, settings: Classify) -> str | None:
    value = _value(row, settings.label, "label")
    try:
        return label_text(value)
    except (TypeError, UnicodeDecodeError):
        raise ValueError(
            f"{row.place} has the label {str(value)[:60]} of type {type(value).__name__}; several labels per "
            "text are not supported; give each text one label, as a text or a number"
        ) from None


def _value(row: Row, column: str, setting: str) -> Any:
    if column not in row.record:
        raise ValueError(
            f"{row.place} has no column {column!r} (columns: "
            f"{', '.join(map(str, row.record)) or 'nothing'}); set classify.{setting} to the column that "
            f"holds the {setting}, or correct the row"
        )
    return row.record[column]


def _warn_of_similar_labels(examples: Iterable[Example]) -> None:
    """Warn about labels that differ only in case or white space: they are probably the same."""
    counts = Counter(example.label for example in examples)
    similar: dict[str, list[str]] = {}
    for label in counts:
        similar.setdefault(" ".join(label.casefold().split()), []).append(label)
    for labels in similar.values():
        if len(labels) > 1:
            counted = " and ".join(f"{label!r} ({counts[label]:,})" for label in labels)
            most_frequent = max(labels, key=lambda label: counts[label])
            names = ", ".join(f"{label}: {most_frequent}" for label in labels)
            log.warning(
                f"classify: the labels {counted} differ in case or space only; if they are the same, map "
                "them with "
                f"classify.label_names, as {{{names}, …}}"
            )


def _deduplicate(examples: Sequence[Example], by_source: bool) -> tuple[list[Example], int]:
    """Examples without repeated texts, and how many of the repeated ones have a different label.

    The first occurrence is kept; with a split by source, that in test, then that in validation. test is never
    changed.
    """
    ordered = list(examples)
    if by_source:
        ordered.sort(key=lambda example: -SPLITS.index(example.origin) if example.origin in SPLITS else 0)
    labels: dict[str, str] = {}
    kept, contradicting = [], 0
    for example in ordered:
        if example.text in labels and not (by_source and example.origin == TEST):
            contradicting += labels[example.text] != example.label
            continue
        labels.setdefault(example.text, example.label)
        kept.append(example)
    return kept, contradicting


def _labels(splits: Mapping[str, Sequence[Example]], names: Mapping[str, str]) -> list[str]:
    """The labels of the training examples, in the order of label_names or of the alphabet."""
    labels = {example.label for example in splits[TRAIN]}
    for name in (VALIDATION, TEST):
        for example in splits[name]:
            if example.label not in labels:
                raise ValueError(
                    f"{example.place} ({name}) has the label {example.label!r}, which no training example "
                    "has; add examples of it to training, correct the label, or remove the row"
                )
    if len(labels) < 2:
        raise ValueError(
            f"all {len(splits[TRAIN]):,} training examples have the label {min(labels)!r}; a classifier "
            "needs at least two; add examples of another label, or set classify.label to the right column"
        )
    return [name for name in dict.fromkeys(names.values()) if name in labels] if names else sorted(labels)
