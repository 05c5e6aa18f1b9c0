"""Drills: `drills(seed, count)` yields {"text"}: who has what, where or how, said and said again in another order.

The shortest texts in which a word follows from an earlier one alone: each of two or three has something of its own, so
that naming any of the candidates does not do. A model that begins with them learns to look up before it learns to tell.
"""

from collections.abc import Iterator
from random import Random

from foundling.fables.plots.teller import Lines, Teller, Ways
from foundling.fables.tales import plain, tale

# what is said of each, and how one comes back to it
DRILLS: tuple[tuple[str, Ways], ...] = (
    ("{x} had the {xo}.", ("{x} had the {xo?}.",)),
    ("{x} had the {xo}.", ("the {xo} was from {x?}.", "the one who had the {xo} was {x?}.")),
    ("{x} was {xp}.", ("{x} was {xp?}.",)),
    ("{x} was {xp}.", ("the one {xp} was {x?}.",)),
    ("{x} was {xf}.", ("{x} was {xf?}.",)),
    ("{x} felt {xf}.", ("{x} was {xf?}.",)),
    ("{x} was {xf}.", ("the one who was {xf} was {x?}.",)),
    ("{x} felt {xf}.", ("the one who felt {xf} was {x?}.",)),
    ("{x} had some {xm}.", ("{x} had some {xm?}.",)),
    ("{x} had some {xm}.", ("the {xm} was from {x?}.",)),
    ("the {xo} was {xp}.", ("the {xo} was {xp?}.",)),
    ("{x} put the {xo} {xp}.", ("the {xo} was {xp?}.",)),
    ("{x} put the {xo} {xp}.", ("the {xo} belonged to {x?}.", "the {xo} was for {x?}.")),
    ("{x}'s {xo} was {xp}.", ("the {xo} was {xp?}.",)),
)
ROUNDS = 2


def drills(seed: int, count: int) -> Iterator[dict[str, str]]:
    """Yield `count` texts of the training split."""
    rng = Random(f"drills {seed}")
    for _ in range(count):
        yield {"text": plain(" ".join(tale(rng, "train", [_drill]).lines))}


def _drill(teller: Teller) -> Lines:
    told, again = teller.rng.choice(DRILLS)
    some = teller.order()[: teller.rng.choice((2, 2, 3))]
    lines = [teller.say(told, x=one) for one in some]
    for _ in range(ROUNDS):
        lines += [teller.say(*again, x=one) for one in teller.rng.sample(some, len(some))]
    return lines, []
