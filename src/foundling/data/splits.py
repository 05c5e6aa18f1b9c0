"""Split a dataset into train, validation and test: at random, stratified by label, or by source."""

import logging
import random
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import Protocol, TypeVar

import numpy as np

from foundling.settings.datasets import Split
from foundling.settings.training import Classify, Instruct, TrainTranslator

log = logging.getLogger(__name__)
TRAIN, VALIDATION, TEST = SPLITS = ("train", "validation", "test")
REPEATED = "left out of train: the prompt is also in validation or test"


class Originated(Protocol):
    """An example that names the source of the dataset that it is from."""

    @property
    def origin(self) -> str: ...


Example = TypeVar("Example", bound=Originated)
Item = TypeVar("Item")


def split(
    examples: Sequence[Example],
    settings: Classify | Instruct | TrainTranslator,
    stage: str,
    *,
    prompt: Callable[[Example], Hashable] | None = None,
    label: Callable[[Example], str] | None = None,
    balance: bool = False,
    changes: Counter[str] | None = None,
) -> dict[str, list[Example]]:
    """Split examples by the settings of `stage`; ValueError names the setting to change for an empty split.

    Args:
        prompt: returns an example's prompt; training examples with one of validation or test are dropped.
        label: returns an example's label; the same fraction of each label is held out.
        balance: keep as many examples of each label as the rarest has.
        changes: counts the dropped examples.
    """
    generator = np.random.Generator(np.random.Philox(key=settings.seed))
    shares, dataset = settings.split, settings.dataset.name
    if shares.by == "source":
        splits = _by_source(examples, stage)
        if label and balance:
            splits[TRAIN] = _balance(splits[TRAIN], label, generator)
        if not splits[VALIDATION]:
            splits[TRAIN], splits[VALIDATION] = _hold_out(splits[TRAIN], shares.validation, label, generator)
    elif label:
        pool = _balance(examples, label, generator) if balance else examples
        pool, test = _hold_out(pool, shares.test, label, generator)
        train, validation = _hold_out(pool, shares.validation / (1 - shares.test), label, generator)
        splits = {TRAIN: train, VALIDATION: validation, TEST: test}
    else:
        splits = _draw(examples, shares, generator)
    dropped = _drop_repeated(splits, prompt) if prompt else 0
    for name, part in splits.items():
        if not part:
            raise ValueError(
                f"the split {name} of {dataset} is empty{_remedy(name, stage, shares.by, dropped)}"
            )
    if changes is not None and dropped:
        changes[REPEATED] += dropped
    sizes = ", ".join(f"{len(part):,} {name}" for name, part in splits.items())
    log.info(f"{stage}: {sizes}" + (f"; {dropped:,} {REPEATED}" if dropped else ""))
    return splits


def choose(examples: Sequence[Item], limit: int | None, seed: int) -> list[Item]:
    """All examples, or a random sample of `limit` in the original order."""
    if limit is None or limit >= len(examples):
        return list(examples)
    return [examples[i] for i in sorted(random.Random(seed).sample(range(len(examples)), limit))]


def _draw(
    examples: Sequence[Example], shares: Split, generator: np.random.Generator
) -> dict[str, list[Example]]:
    """Divide the shuffled examples; validation and test get at least one each."""
    order = generator.permutation(len(examples))
    test, validation = (
        max(1, round(fraction * len(examples))) for fraction in (shares.test, shares.validation)
    )
    parts = np.split(order, [test, test + validation])
    return {
        name: [examples[i] for i in part] for name, part in zip((TEST, VALIDATION, TRAIN), parts, strict=True)
    }


def _by_source(examples: Sequence[Example], stage: str) -> dict[str, list[Example]]:
    splits: dict[str, list[Example]] = {name: [] for name in SPLITS}
    for example in examples:
        name = example.origin
        if name not in splits:
            raise ValueError(
                f"the dataset has a source {name!r}, but with {stage}.split.by=source its sources must be "
                f"named {', '.join(SPLITS)}; rename it, or choose another {stage}.split.by"
            )
        splits[name].append(example)
    return splits


def _hold_out(
    examples: Sequence[Example],
    fraction: float,
    label: Callable[[Example], str] | None,
    generator: np.random.Generator,
) -> tuple[list[Example], list[Example]]:
    """(rest, held out): hold out a fraction of all examples, or of each label's; the rest keeps one each."""
    if label is None:
        order = generator.permutation(len(examples))
        count = round(fraction * len(examples))
        return [examples[i] for i in order[count:]], [examples[i] for i in order[:count]]
    rest, held_out = [], []
    for group in _by_label(examples, label):
        order = generator.permutation(len(group))
        count = min(round(fraction * len(group)), len(group) - 1)
        held_out += [group[i] for i in sorted(order[:count])]
        rest += [group[i] for i in sorted(order[count:])]
    return rest, held_out


def _balance(
    examples: Sequence[Example], label: Callable[[Example], str], generator: np.random.Generator
) -> list[Example]:
    groups = _by_label(examples, label)
    fewest = min(map(len, groups), default=0)
    return [group[i] for group in groups for i in sorted(generator.permutation(len(group))[:fewest])]


def _by_label(examples: Sequence[Example], label: Callable[[Example], str]) -> list[list[Example]]:
    groups: dict[str, list[Example]] = {}
    for example in examples:
        groups.setdefault(label(example), []).append(example)
    return [groups[name] for name in sorted(groups)]


def _drop_repeated(splits: dict[str, list[Example]], prompt: Callable[[Example], Hashable]) -> int:
    """Drop training examples with a prompt of validation or test, in place; returns how many."""
    held_out = {prompt(example) for name in (VALIDATION, TEST) for example in splits[name]}
    before = len(splits[TRAIN])
    splits[TRAIN] = [example for example in splits[TRAIN] if prompt(example) not in held_out]
    return before - len(splits[TRAIN])


def _remedy(name: str, stage: str, by: str, dropped: int) -> str:
    """Why a split is empty, and what to change."""
    if name == TRAIN and dropped:
        return (
            f": validation or test also have the prompts of all its {dropped:,} examples; add other records"
        )
    if name == TRAIN and by != "source":
        return f"; lower {stage}.split.validation and {stage}.split.test, or add records"
    if name == VALIDATION or by != "source":
        return f"; increase {stage}.split.{name}, or add records"
    return f"; add a source named {name}, or choose another {stage}.split.by"
