"""Labelled texts: a dataset's records in, examples in the splits train, validation and test out.

deduplicate: true    a text that came before is dropped, before anything is split, so that none stands on two sides
split:
  by: stratified     stratified: drawn by the seed, each label with the same shares | source: the sources are the splits
  validation: 0.1    shares of all examples; by source, `validation` is drawn from train where no source brings it
  test: 0.2
balance: false       true: as many examples of each label as the rarest has
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from foundling.data.sources import records

log = logging.getLogger(__name__)
TRAIN, VALIDATION, TEST = SPLITS = ("train", "validation", "test")


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


def labelled(folder: Path, recipe: Mapping[str, Any]) -> Labelled:
    """Read what sources.fetch() put into `folder`, drop duplicates, balance, split; the log says how many of each.

    A row without its text or label, a label that training never sees, a single class and an empty split raise
    ValueError that names the row or the setting.
    """
    found = list(_examples(folder, recipe))
    by = recipe["split"]["by"]
    if by not in ("stratified", "source"):
        raise ValueError(f"found classify.split.by={by!r}; allowed are stratified and source; try stratified")
    random = np.random.Generator(np.random.Philox(key=recipe["seed"]))
    kept, contradicting = _distinct(found, by) if recipe["deduplicate"] else (found, 0)
    splits = (_stratified if by == "stratified" else _given)(kept, recipe, random)
    labels = _labels(splits, recipe["label_names"])
    counts = {"read": len(found), "duplicates": len(found) - len(kept), "contradicting": contradicting}
    sizes = ", ".join(f"{len(examples):,} {split}" for split, examples in splits.items())
    log.info(
        f"classify: {counts['read']:,} texts of {len(labels)} labels; {counts['duplicates']:,} duplicates dropped "
        f"({contradicting:,} of them with another label); {sizes}"
    )
    return Labelled(labels, splits, counts)


def _examples(folder: Path, recipe: Mapping[str, Any]) -> Iterator[Example]:
    text, label, names = recipe["text"], recipe["label"], recipe["label_names"]
    rows: Counter[str] = Counter()
    for source, record in records(folder, recipe["dataset"]):
        rows[source] += 1
        place = f"row {rows[source]} of source {source}"
        for setting, column in (("text", text), ("label", label)):
            if record.get(column) is None:
                raise ValueError(
                    f"{place} has no column {column!r} (found {', '.join(map(str, record)) or 'nothing'}); "
                    f"set classify.{setting} to the column that holds the {setting}, or mend the row"
                )
        if not str(record[text]).strip():
            raise ValueError(f"{place} has an empty text; write one, or take the row out")
        name = str(record[label])
        if names and name not in names:
            raise ValueError(
                f"{place} has the label {name!r}; classify.label_names knows {', '.join(map(str, names))}; "
                "add it there, or mend the row"
            )
        yield Example(str(record[text]), names[name] if names else name, place, source)


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


def _stratified(
    examples: Sequence[Example], recipe: Mapping[str, Any], random: np.random.Generator
) -> dict[str, list[Example]]:
    shares = {name: recipe["split"][name] for name in (VALIDATION, TEST)}
    if min(shares.values()) <= 0 or sum(shares.values()) >= 1:
        raise ValueError(f"found classify.split with {shares}; allowed are shares above 0 that leave some for training")
    pool = _balanced(examples, random) if recipe["balance"] else examples
    rest, test = _cut(pool, shares[TEST], random)
    train, validation = _cut(rest, shares[VALIDATION] / (1 - shares[TEST]), random)
    return {TRAIN: train, VALIDATION: validation, TEST: test}


def _given(
    examples: Sequence[Example], recipe: Mapping[str, Any], random: np.random.Generator
) -> dict[str, list[Example]]:
    splits: dict[str, list[Example]] = {name: [] for name in SPLITS}
    for example in examples:
        if example.source not in splits:
            raise ValueError(
                f"found a source named {example.source}; with classify.split.by=source they are named "
                f"{', '.join(SPLITS)}; rename it, or set classify.split.by=stratified"
            )
        splits[example.source].append(example)
    if recipe["balance"]:
        splits[TRAIN] = _balanced(splits[TRAIN], random)
    if not splits[VALIDATION]:
        splits[TRAIN], splits[VALIDATION] = _cut(splits[TRAIN], recipe["split"][VALIDATION], random)
    return splits


def _balanced(examples: Sequence[Example], random: np.random.Generator) -> list[Example]:
    groups = _by_label(examples)
    fewest = min(map(len, groups.values()), default=0)
    return [those[i] for those in groups.values() for i in sorted(random.permutation(len(those))[:fewest])]


def _cut(examples: Sequence[Example], share: float, random: np.random.Generator) -> tuple[list[Example], list[Example]]:
    """(the rest, the share) of each label's examples; the rest keeps at least one of each."""
    rest, taken = [], []
    for those in _by_label(examples).values():
        order = random.permutation(len(those))
        count = min(round(share * len(those)), len(those) - 1)
        taken += [those[i] for i in sorted(order[:count])]
        rest += [those[i] for i in sorted(order[count:])]
    return rest, taken


def _by_label(examples: Iterable[Example]) -> dict[str, list[Example]]:
    groups: dict[str, list[Example]] = {}
    for example in examples:
        groups.setdefault(example.label, []).append(example)
    return {label: groups[label] for label in sorted(groups)}


def _labels(splits: Mapping[str, Sequence[Example]], names: Mapping[str, str] | None) -> list[str]:
    """The labels that training sees, in the order of label_names or of the alphabet."""
    for split, examples in splits.items():
        if not examples:
            raise ValueError(
                f"the split {split} holds no example; add rows to it, or raise classify.split.validation and .test"
            )
    known = {example.label for example in splits[TRAIN]}
    for split in (VALIDATION, TEST):
        for example in splits[split]:
            if example.label not in known:
                raise ValueError(
                    f"{example.place} ({split}) has the label {example.label!r}, which no training example has; "
                    "add examples of it to training, mend the label, or take the row out"
                )
    if len(known) < 2:
        raise ValueError(
            f"all {len(splits[TRAIN]):,} training examples have the label {min(known)!r}; a classifier needs at least "
            "two; add examples of another label, or set classify.label to the right column"
        )
    return [name for name in names.values() if name in known] if names else sorted(known)
