"""Tales: drawn from the plots, with the words that follow from the text marked: `<where barn>`.

A mark names what kind of word it holds (see OPTIONS in benchmark.py). Without its marks a tale is a story to train on;
cut off in front of a mark it is a question, and the marked word the answer.
"""

import re
from collections.abc import Mapping
from random import Random
from typing import NamedTuple

from foundling.fables import plots
from foundling.fables.phrasing import split_of
from foundling.fables.world import ANIMALS, FEELINGS, NAMES, PLACES, PRONOUNS, THINGS

MARK = re.compile(r"<(\w+) (\w+)>")
STARTS = re.compile(r'(^|[.!?]"? )("?(?:<\w+ )?)([a-z])')


class Tale(NamedTuple):
    """Sentences in their order, and questions about them with their answers; all with marks."""

    sentences: list[str]
    questions: list[str]


def tale(rng: Random, split: str) -> Tale:
    """Draw a tale whose combinations of who, what and where belong to `split`."""
    plot = rng.choices(list(plots.PLOTS), plots.WEIGHTS)[0]
    return told(rng, plot, split)


def told(rng: Random, plot: str, split: str) -> Tale:
    """Draw a tale with this plot; outside training a third of the askings are phrased in a new way."""
    cast = _cast(rng, split)
    unseen = split != "train"
    lines, questions = plots.PLOTS[plot](plots.Teller(rng, cast, unseen))
    return Tale([capital(line) for line in lines], [capital(line) for line in questions])


def plain(text: str) -> str:
    """A text without its marks."""
    return MARK.sub(r"\2", text)


def capital(text: str) -> str:
    """Give each sentence its capital, also inside of quotes."""
    return STARTS.sub(lambda found: found[1] + found[2] + found[3].upper(), text)


def _cast(rng: Random, split: str) -> dict[str, str]:
    """Three beings, each with a thing, a place and a feeling that no other has."""
    beings = rng.choice((NAMES, ANIMALS))
    names = rng.sample(list(beings), 3)
    relation = rng.choices(list(PLACES), (6, 2, 2, 1))[0]
    feelings = rng.sample(FEELINGS, 3)
    things: list[str] = []
    places: list[str] = []
    for name in names:
        thing, place = rng.choice(THINGS), rng.choice(PLACES[relation])
        while thing in things or place in places or split_of("story", name, thing, place) != split:
            thing, place = rng.choice(THINGS), rng.choice(PLACES[relation])
        things.append(thing)
        places.append(place)
    cast: dict[str, str] = {}
    for letter, name, thing, place, feeling in zip("abc", names, things, places, feelings, strict=True):
        cast |= _part(letter, name, beings, thing, relation, place, feeling)
    return cast


def _part(
    letter: str, name: str, beings: Mapping[str, str], thing: str, relation: str, place: str, feeling: str
) -> dict[str, str]:
    """The slots of one being; those that end in ? are marked."""
    article = "" if beings is NAMES else "the "
    he, him, his = PRONOUNS[beings[name]]
    return {
        letter: article + name,
        f"{letter}?": f"{article}<who {name}>",
        f"{letter}he": he,
        f"{letter}him": him,
        f"{letter}his": his,
        f"{letter}o": thing,
        f"{letter}o?": f"<what {thing}>",
        f"{letter}an": f"{'an' if thing[0] in 'aeiou' else 'a'} {thing}",
        f"{letter}p": f"{relation} the {place}",
        f"{letter}p?": f"{relation} the <where {place}>",
        f"{letter}f": feeling,
        f"{letter}f?": f"<how {feeling}>",
    }
