"""Labelled texts: a dataset's records in, examples in the splits train, validation and test out.

missing: refuse      a row without a text or a label: refuse | drop
deduplicate: true    a text that came before is dropped, before anything is split, so that none stands on two sides
split:
  by: stratified     stratified: drawn by the seed, each label with the same shares | source: the sources are the splits
  validation: 0.1    shares of all examples; by source, `validation` is drawn from train where no source brings it
  test: 0.2
balance: false       true: as many examples of each label as the rarest has
"""

import logging
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from foundling.data.sources import Row, left_out, rows
from foundling.data.splits import SPLITS, TEST, TRAIN, VALIDATION, split
from foundling.settings.datasets import StratifiedSplit
from foundling.validation import build

log = logging.getLogger(__name__)
WHOLE = re.compile(r"(-?\d+)\.0+")  # a whole number, as pandas writes it once a column has gaps


@dataclass(frozen=True)
class Example:
    """A text with its label, and where it stands, for errors."""

    text: str
    label: str
    place: str
    source: str


@dataclass(frozen=True)
class Labelled:
    """The labels in the order of their ids, each split's examples, and what was counted on the way."""

    labels: list[str]
    splits: dict[str, list[Example]]
    counts: dict[str, int]

    def texts(self, split: str) -> list[str]:
        """A split's texts."""
        return [example.text for example in self.splits[split]]

    def ids(self, split: str) -> np.ndarray:
        """A split's label ids, (N,)."""
        index = {label: i for i, label in enumerate(self.labels)}
        return np.array([index[example.label] for example in self.splits[split]], dtype=np.int64)


def labelled(folder: Path, recipe: Mapping[str, Any], changes: Counter[str] | None = None) -> Labelled:
    """Read what sources.fetch() put into `folder`, drop duplicates, balance, split; the log says how many of each.

    `changes` counts what was left out or changed in reading the files, by reason.

    A row without its text or label (unless such rows are to be dropped), a label that training never sees, a single
    class and an empty split raise ValueError that names the row or the setting.
    """
    missing: list[str] = []
    found = list(_examples(folder, recipe, missing, Counter() if changes is None else changes))
    if missing and recipe["missing"] == "refuse":
        raise ValueError(
            f"{len(missing):,} of {len(missing) + len(found):,} rows lack a text or a label (first: {missing[0]}); "
            "fill them in, or set classify.missing=drop"
        )
    _warn_of_near(found)
    settings = build(StratifiedSplit, recipe["split"], "classify.split")
    kept, contradicting = _distinct(found, settings.by) if recipe["deduplicate"] else (found, 0)
    splits = split(
        kept,
        settings,
        recipe["seed"],
        stage="classify",
        dataset=recipe["dataset"]["name"],
        source=lambda example: example.source,
        label=lambda example: example.label,
        balance=recipe["balance"],
    )
    labels = _labels(splits, _names(recipe["label_names"]))
    counts = {
        "read": len(found) + len(missing),
        "missing": len(missing),
        "duplicates": len(found) - len(kept),
        "contradicting": contradicting,
        "left_out_files": sum(r.files for reasons in left_out(folder).values() for r in reasons.values()),
    }
    log.info(
        f"classify: {counts['read']:,} texts of {len(labels)} labels; {counts['missing']:,} without a text or a label "
        f"dropped; {counts['duplicates']:,} duplicates dropped ({contradicting:,} of them with another label)"
    )
    return Labelled(labels, splits, counts)


def label_text(value: Any) -> str | None:
    """A label as text, whichever format held it: 1.0 is "1", true "true", without space around; None if it is missing.

    A list or a mapping raises TypeError.
    """
    if isinstance(value, bytes):
        value = value.decode()
    if isinstance(value, str):
        return _whole(value.strip()) or None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list | tuple | set | Mapping):
        raise TypeError(type(value).__name__)
    return None if value is None else str(value)


def _whole(text: str) -> str:
    number = WHOLE.fullmatch(text)
    return number[1] if number else text


def _examples(folder: Path, recipe: Mapping[str, Any], missing: list[str], changes: Counter[str]) -> Iterator[Example]:
    """The rows as examples; the places of rows without a text or a label are added to `missing`."""
    if recipe["missing"] not in ("refuse", "drop"):
        raise ValueError(f"classify.missing={recipe['missing']!r}: must be refuse or drop")
    names = _names(recipe["label_names"])
    for row in rows(folder, recipe["dataset"], defaultdict(lambda: changes)):
        text, label = _cell(row, recipe, "text"), _label(row, recipe)
        if label is None or text is None or not str(text).strip():
            missing.append(row.place)
            continue
        if names and label not in names:
            raise ValueError(
                f"{row.place} has the label {label!r}, but classify.label_names has only {', '.join(names)}; "
                "add it there, or correct the row"
            )
        yield Example(str(text), names[label] if names else label, row.place, row.source)
    for reason, count in changes.items():
        log.warning(f"classify: {count:,} {reason}")


def _names(label_names: Mapping[Any, Any] | None) -> dict[str, str]:
    """label_names with its keys as texts, as labels are compared."""
    return {label_text(label) or "": str(name) for label, name in (label_names or {}).items()}


def _cell(row: Row, recipe: Mapping[str, Any], setting: str) -> Any:
    """The value of the row's text or label."""
    column = recipe[setting]
    if column not in row.record:
        raise ValueError(
            f"{row.place} has no column {column!r} (found {', '.join(map(str, row.record)) or 'nothing'}); "
            f"set classify.{setting} to the column that holds the {setting}, or correct the row"
        )
    value = row.record[column]
    if setting == "text" and isinstance(value, bytes | list | Mapping):
        raise ValueError(
            f"{row.place} has a {type(value).__name__} in the column {column!r}; a text is needed; set classify.text "
            "to the column that holds the text"
        )
    return None if isinstance(value, float) and math.isnan(value) else value


def _label(row: Row, recipe: Mapping[str, Any]) -> str | None:
    value = _cell(row, recipe, "label")
    try:
        return label_text(value)
    except (TypeError, UnicodeDecodeError):
        raise ValueError(
            f"{row.place} has the label {str(value)[:60]} of type {type(value).__name__}; several labels per text are "
            "not supported; give each text one label, as a text or a number"
        ) from None


def _warn_of_near(examples: Iterable[Example]) -> None:
    """Warn of labels that differ in nothing but case: they are probably one."""
    counts = Counter(example.label for example in examples)
    alike: dict[str, list[str]] = {}
    for label in counts:
        alike.setdefault(" ".join(label.casefold().split()), []).append(label)
    for near in alike.values():
        if len(near) > 1:
            told = " and ".join(f"{label!r} ({counts[label]:,})" for label in near)
            wanted = max(near, key=lambda label: counts[label])
            names = ", ".join(f"{label}: {wanted}" for label in near)
            log.warning(
                f"classify: the labels {told} differ in case or space only; if they are one, map them with "
                f"classify.label_names, as {{{names}, …}}"
            )


def _distinct(examples: Sequence[Example], by: str) -> tuple[list[Example], int]:
    """Each text once: the first stays; given splits give up what the test split has, which stays as published."""
    ordered = list(examples)
    if by == "source":
        ordered.sort(key=lambda example: -SPLITS.index(example.source) if example.source in SPLITS else 0)
    seen: dict[str, str] = {}
    kept, contradicting = [], 0
    for example in ordered:
        if example.text in seen and not (by == "source" and example.source == TEST):
            contradicting += seen[example.text] != example.label
            continue
        seen.setdefault(example.text, example.label)
        kept.append(example)
    return kept, contradicting


def _labels(splits: Mapping[str, Sequence[Example]], names: Mapping[str, str]) -> list[str]:
    """The labels that training sees, in the order of label_names or of the alphabet."""
    known = {example.label for example in splits[TRAIN]}
    for name in (VALIDATION, TEST):
        for example in splits[name]:
            if example.label not in known:
                raise ValueError(
                    f"{example.place} ({name}) has the label {example.label!r}, which no training example has; "
                    "add examples of it to training, correct the label, or take the row out"
                )
    if len(known) < 2:
        raise ValueError(
            f"all {len(splits[TRAIN]):,} training examples have the label {min(known)!r}; a classifier needs at least "
            "two; add examples of another label, or set classify.label to the right column"
        )
    return [name for name in dict.fromkeys(names.values()) if name in known] if names else sorted(known)
