"""Drills: `drills(seed, count)` yields {"text"}: who has what, where or how, repeated in another order.

They are the shortest texts in which a word follows only from an earlier one: each of two or three beings has
something of its own, so that naming any of the candidates is not enough. A model that is trained on them
first learns to look things up in the context before it learns to tell stories.
"""

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from foundling.fables.plots.teller import Lines, Teller, Ways
from foundling.fables.tables import document, patterns
from foundling.fables.tales import plain, tale


class Drill(NamedTuple):
    """Patterns that state something about each being, and that repeat it."""

    first: Ways
    again: Ways


DRILLS = [Drill((node["first"],), patterns(node["again"])) for node in document("drills")]
ROUNDS = 2


def drills(seed: int, count: int) -> Iterator[dict[str, str]]:
    """Yield `count` texts of the training split."""
    rng = Random(f"drills {seed}")
    for _ in range(count):
        yield {"text": plain(" ".join(tale(rng, "train", [_drill]).lines))}


def _drill(teller: Teller) -> Lines:
    drill = teller.rng.choice(DRILLS)
    beings = teller.order()[: teller.rng.choice((2, 2, 3))]
    lines = [teller.say(drill.first, x=being) for being in beings]
    for _ in range(ROUNDS):
        lines += [teller.say(drill.again, x=being) for being in teller.rng.sample(beings, len(beings))]
    return lines, []
