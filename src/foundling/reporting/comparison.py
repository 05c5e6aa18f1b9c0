"""Compare runs: which settings differ, each metric with its interval, and tests of the differences.

Runs that differ only in their seeds are one side, whose intervals are over its seeds. The first side is the
baseline that the others are tested against.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import chain, islice, product
from string import ascii_uppercase

import numpy as np
from pydantic import JsonValue

from foundling.reporting.runs import Measurement, Run
from foundling.reporting.statistics import CONFIDENCE, Difference, by_items, by_seeds, holm, t_interval

SEED = "seed"
MOST_SIDES = 200


@dataclass(frozen=True)
class Side:
    """One column of a comparison: a run, or the runs of several seeds."""

    letter: str
    runs: Sequence[Run]

    @property
    def name(self) -> str:
        return _common([run.name for run in self.runs])

    @property
    def seeds(self) -> str:
        """The seeds: of the setting in which the runs differ, else the first one."""
        seeds = [_seeds(run) for run in self.runs]
        names = [name for name in seeds[0] if len({str(one.get(name)) for one in seeds}) > 1] or [*seeds[0]]
        return ", ".join(str(one[names[0]]) for one in seeds) if names else ""

    def measure(self, metric: str) -> Measurement | None:
        """The mean over the seeds with Student's interval; of one seed, the value with its own interval."""
        found = [run.metrics[metric] for run in self.runs if metric in run.metrics]
        if len(found) < 2:
            return found[0] if found else None
        return Measurement(*t_interval([one.value for one in found]))

    def values(self, metric: str) -> list[float]:
        """The metric of each seed that has it."""
        return [run.metrics[metric].value for run in self.runs if metric in run.metrics]


@dataclass(frozen=True)
class Setting:
    """A setting that is not the same on all sides, with its value on each; None if a side lacks it."""

    name: str
    values: Sequence[JsonValue]


@dataclass(frozen=True)
class Metric:
    """A metric on each side; None where a side lacks it."""

    name: str
    sides: Sequence[Measurement | None]
    values: Sequence[Sequence[float]]  # of each side's seeds


@dataclass(frozen=True)
class Test:
    """A side compared with the first."""

    name: str
    side: str  # its letter
    n: str  # items or seeds
    means: tuple[float, float]
    result: Difference
    p: float  # adjusted for all tests of its table

    @property
    def verdict(self) -> str:
        if self.p >= 1 - CONFIDENCE:
            return "no difference shown"
        return f"{self.side} higher" if self.result.difference > 0 else f"{self.side} lower"


@dataclass(frozen=True)
class Comparison:
    """All that the table and the page show."""

    sides: Sequence[Side]
    settings: Sequence[Setting]
    uncompared: Sequence[str]  # sections of settings that not all sides recorded
    metrics: Sequence[Metric]  # the chosen ones
    others: Sequence[Metric]  # the others that differ
    item_tests: Sequence[Test]
    seed_tests: Sequence[Test]


def compare(runs: Sequence[Run], patterns: Sequence[str]) -> Comparison:
    """Compare runs by the metrics whose names match one of the patterns; ValueError if they have none."""
    sides = group(runs)
    names = list(dict.fromkeys(name for run in runs for name in run.metrics))
    chosen = [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]
    if not chosen:
        raise ValueError(
            f"compare.metrics={' or '.join(patterns)}: none of the {len(runs)} runs has such a metric; use "
            f"names such as {', '.join(names[:4])}"
        )
    metrics = {name: _metric(name, sides) for name in names}
    settings, uncompared = differing(sides)
    return Comparison(
        sides=sides,
        settings=settings,
        uncompared=uncompared,
        metrics=[metrics[name] for name in chosen],
        others=[metric for name, metric in metrics.items() if name not in chosen and _differs(metric)],
        item_tests=_adjusted(list(_item_tests(sides))),
        seed_tests=_adjusted(list(_seed_tests(sides, chosen))),
    )


def group(runs: Sequence[Run]) -> list[Side]:
    """One side for all runs of the same commit and settings whose seeds differ, in order."""
    sides: list[list[Run]] = []
    for run in runs:
        for side in sides:
            if _same_but_for_seeds(side[0], run) and all(_seeds(run) != _seeds(one) for one in side):
                side.append(run)
                break
        else:
            sides.append([run])
    if len(sides) > MOST_SIDES:
        raise ValueError(f"{len(sides)} different runs: at most {MOST_SIDES} can be compared; name fewer")
    letters = chain(ascii_uppercase, map("".join, product(ascii_uppercase, repeat=2)))  # A … Z, AA, AB …
    return [Side(letter, side) for letter, side in zip(islice(letters, len(sides)), sides, strict=True)]


def differing(sides: Sequence[Side]) -> tuple[list[Setting], list[str]]:
    """The settings that differ (not a side's several seeds), and the sections that not all sides recorded."""
    recorded = [side.runs[0].settings for side in sides]
    sections = [{_section(name) for name in settings} for settings in recorded]
    common, all_sections = (
        set.intersection(*sections),
        dict.fromkeys(_section(n) for s in recorded for n in s),
    )
    within = {name for side in sides if len(side.runs) > 1 for name in _seeds(side.runs[0])}
    settings = []
    for name in dict.fromkeys(name for one in recorded for name in one if _section(name) in common):
        values = [one.get(name) for one in recorded]
        if name not in within and any(value != values[0] for value in values):
            settings.append(Setting(name, values))
    return settings, [section for section in all_sections if section not in common]


def _item_tests(sides: Sequence[Side]) -> Iterator[Test]:
    """Each side against the first, on the items that all of their runs answered."""
    first = sides[0]
    for name in first.runs[0].items:
        for side in sides[1:]:
            outcomes = [run.items.get(name, {}) for run in (*first.runs, *side.runs)]
            items = [item for item in outcomes[0] if all(item in one for one in outcomes)]
            if items:
                a, b = (_shares(one, name, items) for one in (first, side))
                most = max(map(len, outcomes))
                n = f"{len(items):,}" + (f" of {most:,}" if most > len(items) else "")
                result = by_items(a, b)
                yield Test(name, side.letter, n, (float(a.mean()), float(b.mean())), result, result.p)


def _shares(side: Side, name: str, items: Sequence[str]) -> np.ndarray:
    """The share of the side's seeds that were right, (items,)."""
    return np.mean([[run.items[name][item] for item in items] for run in side.runs], axis=0)


def _seed_tests(sides: Sequence[Side], names: Sequence[str]) -> Iterator[Test]:
    """Each side against the first, on the metrics that at least two seeds of both have."""
    first = sides[0]
    for name in names:
        for side in sides[1:]:
            a, b = first.values(name), side.values(name)
            if min(len(a), len(b)) > 1:
                paired = len(a) == len(b) and [_seeds(run) for run in first.runs] == [
                    _seeds(run) for run in side.runs
                ]
                result = by_seeds(a, b, paired)
                means = (float(np.mean(a)), float(np.mean(b)))
                yield Test(name, side.letter, f"{len(a)}, {len(b)}", means, result, result.p)


def _adjusted(tests: Sequence[Test]) -> list[Test]:
    adjusted = holm([test.result.p for test in tests])
    return [
        Test(test.name, test.side, test.n, test.means, test.result, p)
        for test, p in zip(tests, adjusted, strict=True)
    ]


def _metric(name: str, sides: Sequence[Side]) -> Metric:
    return Metric(name, [side.measure(name) for side in sides], [side.values(name) for side in sides])


def _differs(metric: Metric) -> bool:
    return len({value for values in metric.values for value in values}) > 1 or None in metric.sides


def _same_but_for_seeds(first: Run, second: Run) -> bool:
    seeds = _seeds(first)
    if first.commit != second.commit or not seeds or seeds.keys() != _seeds(second).keys():
        return False
    return _without(first, seeds) == _without(second, seeds)


def _without(run: Run, names: dict[str, JsonValue]) -> dict[str, JsonValue]:
    return {name: value for name, value in run.settings.items() if name not in names}


def _seeds(run: Run) -> dict[str, JsonValue]:
    return {name: value for name, value in run.settings.items() if name.rpartition(".")[2] == SEED}


def _section(name: str) -> str:
    return name.partition(".")[0]


def _common(names: Sequence[str]) -> str:
    """The names as one: multirun/pretrain/2026-01-01/{0,1,2}."""
    if len(names) == 1:
        return names[0]
    folders = {name.rpartition("/")[0] for name in names}
    if len(folders) > 1 or "" in folders:
        return ", ".join(names)
    return f"{folders.pop()}/{{{','.join(name.rpartition('/')[2] for name in names)}}}"
