"""The teller puts a plot into words: patterns about x, y, z in, sentences about the beings of the cast out.

In a pattern {x} is somebody, {x+} introduces them ("the sly fox"), {x!} calls them, {xhe}, {xhim} and {xhis} are
pronouns; {xo} is their thing ({xan} with its article), {xp} its place or theirs, {xf} how they feel, {xm} their meal. A
? marks a word that a reader of all that stands before it knows: {x?}, {xo?}, {xp?}, {xf?}, {xm?}; so does {x!}.
Patterns that begin with ~ are kept out of training.
"""

from collections.abc import Callable
from functools import cache
from random import Random

from foundling.fables.phrasing import say

Lines = tuple[list[str], list[str]]  # what is told, and questions about it
Ways = tuple[str, ...]
UNSEEN = 3  # outside training one sentence in so many has a phrasing that training never shows, where there is one

WORDS = {
    "day": ["one (day|morning|evening|afternoon)", "in (spring|summer|autumn|winter)",
            "last (week|spring|summer|winter)",
            "on (Monday|Tuesday|Friday|Sunday)", "on a {weather} (day|morning|evening|afternoon)", "long ago",
            "once", "before breakfast", "after lunch"],
    "weather": ["cold", "warm", "wet", "sunny", "windy", "rainy", "foggy", "stormy", "hot", "dark"],
    "later": ["later", "in the evening", "at night", "the next day", "after a while", "then", "soon", "at last"],
    "very": ["very", "quite", "really"],
}  # fmt: skip


class Teller:
    """Says patterns about the beings a, b and c of a cast."""

    def __init__(self, rng: Random, cast: dict[str, str], seen_only: bool) -> None:
        self.rng, self.cast, self.seen_only = rng, cast, seen_only

    def say(self, *ways: str, **beings: str) -> str:
        """One of the ways; `beings` says who is who, as x="b"; other slots that are given fill in as they stand."""
        seen, unseen = _sorted(ways)
        now_unseen = not self.seen_only and unseen and self.rng.randrange(UNSEEN) == 0
        pattern = self.rng.choice(unseen if now_unseen else seen)
        bound = dict(self.cast)
        for letter, being in beings.items():
            bound |= {letter + slot[1:]: value for slot, value in self.cast.items() if slot[0] == being}
        return say(pattern, self.rng, WORDS, bound)

    def again(self, some: list[str], *manners: Ways) -> list[str]:
        """Come back to each of them in a new order, mostly twice, never in the same words."""
        lines: list[str] = []
        for _ in range(self.rng.choice((1, 2, 2))):
            for one in self.rng.sample(some, len(some)):
                lines.append(self.say(*self.rng.choice(manners), x=one))
        return list(dict.fromkeys(lines))

    def order(self) -> list[str]:
        """The beings in random order."""
        return self.rng.sample("abc", 3)

    def some(self) -> list[str]:
        """One, two or three of the beings in random order."""
        return self.order()[: self.rng.choice((1, 1, 2, 3, 3))]

    def chance(self, one_in: int) -> bool:
        """Whether something happens that happens once in so many tales."""
        return self.rng.randrange(one_in) == 0


@cache
def _sorted(ways: Ways) -> tuple[Ways, Ways]:
    """The ways of training, and those kept out of it."""
    return tuple(one for one in ways if one[0] != "~"), tuple(one[1:] for one in ways if one[0] == "~")


Plot = Callable[[Teller], Lines]
