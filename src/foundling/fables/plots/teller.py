"""The teller turns a plot's patterns about x, y and z into sentences about the beings of a cast.

The slots of a pattern are listed in plots.yaml. A ? marks a word that follows from the preceding text: {x?},
{xo?}, {xp?}, {xf?}, {xm?}; so does {x!}. Patterns that begin with ~ are not used in training.
"""

from collections.abc import Callable, Mapping
from functools import cache
from random import Random

from foundling.fables.phrasing import choose_phrasing, say
from foundling.fables.tables import document, pattern_groups

Lines = tuple[list[str], list[str]]  # the story, and questions about it
Ways = tuple[str, ...]  # patterns that say the same
SLOTS = pattern_groups(document("plots")["teller"])


class Teller:
    """Says patterns about the beings a, b and c of a cast."""

    def __init__(self, rng: Random, cast: dict[str, str], split: str) -> None:
        self.rng, self.cast, self.split = rng, cast, split
        self.roles: dict[str, str] = {}  # slots of x, y and z, in plots whose beings differ in what they do

    def say(self, ways: Ways, **beings: str) -> str:
        """Say one of the ways; `beings` maps letters to beings (x="b"); other slots keep their values."""
        pattern = choose_phrasing(self.rng, self.split, *_partition(ways))
        return say(pattern, self.rng, SLOTS, self.cast | self._slots(beings))

    def _slots(self, beings: Mapping[str, str]) -> dict[str, str]:
        """The slots of these beings by their letters: with {"x": "b"}, "b" and "bo" become "x" and "xo"."""
        return {
            letter + slot[1:]: value
            for letter, being in beings.items()
            for slot, value in self.cast.items()
            if slot[0] == being
        }

    def again(self, beings: list[str], *manners: Ways) -> list[str]:
        """Repeat something about each of the beings in a new order, mostly twice, never in the same words."""
        lines: list[str] = []
        for _ in range(self.rng.choice((1, 2, 2))):
            for being in self.rng.sample(beings, len(beings)):
                lines.append(self.say(self.rng.choice(manners), x=being))
        return list(dict.fromkeys(lines))

    def order(self) -> list[str]:
        """Return the beings in random order."""
        return self.rng.sample("abc", 3)

    def assign_roles(self) -> dict[str, str]:
        """Assign the beings to the roles x, y and z in random order, and remember their slots in `roles`."""
        beings = dict(zip("xyz", self.order(), strict=True))
        self.roles = self._slots(beings)
        return beings

    def some(self) -> list[str]:
        """Return one, two or three of the beings in random order."""
        return self.order()[: self.rng.choice((1, 1, 2, 3, 3))]

    def chance(self, one_in: int) -> bool:
        """Return True once in `one_in` draws."""
        return self.rng.randrange(one_in) == 0


@cache
def _partition(ways: Ways) -> tuple[Ways, Ways]:
    """The ways that are used in training, and those that are not, without their mark."""
    return tuple(way for way in ways if way[0] != "~"), tuple(way[1:] for way in ways if way[0] == "~")


Plot = Callable[[Teller], Lines]
