"""The splits train, validation and test of a dataset: drawn by the seed, or the sources of those names.

by: drawn          drawn: by the seed | source: the sources named train, validation and test are the splits
validation: 0.05   shares of all examples; by source, of those in train where no source brings validation
test: 0.1
"""

import logging
import random
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

log = logging.getLogger(__name__)
TRAIN, VALIDATION, TEST = SPLITS = ("train", "validation", "test")
REPEATED = "left out of train: asked in validation or test as well"

Example = TypeVar("Example")


def split(
    examples: Sequence[Example],
    settings: Mapping[str, Any],
    seed: int,
    *,
    stage: str,
    dataset: str,
    source: Callable[[Example], str],
    asked: Callable[[Example], Hashable],
    changes: Counter[str] | None = None,
) -> dict[str, list[Example]]:
    """Cut examples into the three splits; what training asks that validation or test ask as well is dropped from it.

    `source` tells where an example comes from, `asked` what it asks. Settings that leave a split empty raise ValueError
    that names them, as those of `stage`; the log says how many each split has, `changes` counts what is dropped.
    """
    by = settings["by"]
    if by not in ("drawn", "source"):
        raise ValueError(f"found {stage}.split.by={by!r}; allowed are drawn and source; try drawn")
    generator = np.random.Generator(np.random.Philox(key=seed))
    splits = (
        _drawn(examples, settings, generator, stage)
        if by == "drawn"
        else _given(examples, settings, generator, stage, source)
    )
    held_out = {asked(example) for name in (VALIDATION, TEST) for example in splits[name]}
    kept = [example for example in splits[TRAIN] if asked(example) not in held_out]
    dropped, splits[TRAIN] = len(splits[TRAIN]) - len(kept), kept
    for name, those in splits.items():
        if not those:
            raise ValueError(f"the split {name} of {dataset} is empty{_why_empty(name, stage, by, dropped)}")
    if changes is not None and dropped:
        changes[REPEATED] += dropped
    sizes = ", ".join(f"{len(those):,} {name}" for name, those in splits.items())
    log.info(f"{stage}: {sizes}; {dropped:,} dropped from train, which validation or test ask as well")
    return splits


def _why_empty(name: str, stage: str, by: str, dropped: int) -> str:
    """What left a split without an example, and which setting changes that."""
    if name == TRAIN and dropped:
        return (
            f": validation or test ask the same as all of its {dropped:,} examples; give the dataset more records that "
            "differ"
        )
    if name == TRAIN and by == "drawn":
        return f"; lower {stage}.split.validation and {stage}.split.test, or give the dataset more records"
    if by == "drawn" or name == VALIDATION:
        return f"; raise {stage}.split.{name}, or give the dataset more records"
    return f"; add a source named {name}, or set {stage}.split.by=drawn"


def choose(examples: Sequence[Example], limit: int | None, seed: int) -> list[Example]:
    """All of them, or `limit` drawn by the seed, in their order."""
    if limit is None or limit >= len(examples):
        return list(examples)
    return [examples[i] for i in sorted(random.Random(seed).sample(range(len(examples)), limit))]


def _drawn(
    examples: Sequence[Example], settings: Mapping[str, Any], generator: np.random.Generator, stage: str
) -> dict[str, list[Example]]:
    """Shares of the shuffled examples; at least one of each where there are enough."""
    shares = {name: settings[name] for name in (VALIDATION, TEST)}
    if min(shares.values()) <= 0 or sum(shares.values()) >= 1:
        raise ValueError(f"found {stage}.split with {shares}; allowed are shares above 0 that leave some for training")
    order = generator.permutation(len(examples))
    test, validation = (max(1, round(shares[name] * len(examples))) for name in (TEST, VALIDATION))
    parts = np.split(order, [test, test + validation])
    return {name: [examples[i] for i in part] for name, part in zip((TEST, VALIDATION, TRAIN), parts, strict=True)}


def _given(
    examples: Sequence[Example],
    settings: Mapping[str, Any],
    generator: np.random.Generator,
    stage: str,
    source: Callable[[Example], str],
) -> dict[str, list[Example]]:
    """Each source is the split that its name says; a validation that no source brings is drawn from train."""
    splits: dict[str, list[Example]] = {name: [] for name in SPLITS}
    for example in examples:
        if source(example) not in splits:
            raise ValueError(
                f"found a source named {source(example)!r}; with {stage}.split.by=source the sources are named "
                f"{', '.join(SPLITS)}; rename it, or set {stage}.split.by=drawn"
            )
        splits[source(example)].append(example)
    if not splits[VALIDATION]:
        order = generator.permutation(len(splits[TRAIN]))
        size = round(settings[VALIDATION] * len(order))
        parts = {VALIDATION: order[:size], TRAIN: order[size:]}
        splits |= {name: [splits[TRAIN][i] for i in part] for name, part in parts.items()}
    return splits
