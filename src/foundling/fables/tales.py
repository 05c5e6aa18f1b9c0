"""Tales: sampled from the plots, with marks on the words that follow from the text, as in `<where barn>`.

A mark names the kind of its word (GROUPS in benchmark.py). Without marks a tale is a training story; cut
before a mark it is a question, and the marked word is the answer.
"""

import re
from collections.abc import Mapping, Sequence
from random import Random
from typing import NamedTuple

from foundling.fables.english import with_article
from foundling.fables.facts import FACTS
from foundling.fables.lexicon import ANIMALS, DISHES, FEELINGS, NAMES, PLACES, PRONOUNS, THINGS
from foundling.fables.phrasing import draw_in_split, split_of
from foundling.fables.plots import PLOTS
from foundling.fables.plots.teller import Plot, Teller

MARK = re.compile(r"<(\w+) (\w+)>")
STARTS = re.compile(r'(^|[.!?] |\." |, (?="))("?(?:<\w+ )?)([a-z])')
PLACE_WEIGHTS = (6, 2, 2, 1)  # how often things are in, by, on or under something


class Tale(NamedTuple):
    """Lines in order, and questions about them with their answers, all with marks.

    `roles` has the slots of x, y and z in plots whose beings differ in what they do.
    """

    lines: list[str]
    questions: list[str]
    roles: dict[str, str]  # "x" -> "the fox", "xo" -> "lamp"


def tale(rng: Random, split: str, plots: Sequence[Plot] | None = None) -> Tale:
    """Sample a tale from one of the plots (by default all), with combinations of `split`.

    Combinations are name, thing and place, and who meets whom.
    """
    plot = rng.choice(plots) if plots else rng.choices(list(PLOTS), list(PLOTS.values()))[0]
    teller = Teller(rng, _cast(rng, split), split)
    lines, questions = ([capitalize_sentences(text) for text in texts] for texts in plot(teller))
    return Tale(lines, questions, teller.roles)


def plain(text: str) -> str:
    """Return a text without its marks."""
    return MARK.sub(r"\2", text)


def capitalize_sentences(text: str) -> str:
    """Give each sentence its capital, also at the start of direct speech."""
    return STARTS.sub(lambda start: start[1] + start[2] + start[3].upper(), text)


def _cast(rng: Random, split: str) -> dict[str, str]:
    """The slots of three beings a, b and c, each with a thing, a place, a dish and a feeling of its own."""
    beings = rng.choice((NAMES, ANIMALS))
    names = draw_in_split(split, lambda: rng.sample(list(beings), 3), lambda names: ("cast", *sorted(names)))
    relation = rng.choices(list(PLACES), PLACE_WEIGHTS)[0]
    things: list[str] = []
    places: list[str] = []
    for name in names:
        thing, place = rng.choice(THINGS), rng.choice(PLACES[relation])
        while thing in things or place in places or split_of("story", name, thing, place) != split:
            thing, place = rng.choice(THINGS), rng.choice(PLACES[relation])
        things.append(thing)
        places.append(place)
    feelings, dishes = rng.sample(FEELINGS, 3), rng.sample(DISHES, 3)
    cast: dict[str, str] = {}
    for at, letter in enumerate("abc"):
        cast |= _being(rng, letter, names[at], beings)
        cast |= {
            f"{letter}o": things[at],
            f"{letter}o?": f"<what {things[at]}>",
            f"{letter}an": with_article(things[at]),
            f"{letter}p": f"{relation} the {places[at]}",
            f"{letter}p?": f"{relation} the <where {places[at]}>",
            f"{letter}f": feelings[at],
            f"{letter}f?": f"<how {feelings[at]}>",
            f"{letter}m": dishes[at],
            f"{letter}m?": f"<dish {dishes[at]}>",
        }
    return cast


def _being(rng: Random, letter: str, name: str, beings: Mapping[str, str]) -> dict[str, str]:
    """The slots of one being's name and pronouns; with + it is introduced by a known trait: the sly fox."""
    he, him, his = PRONOUNS[beings[name]]
    mark = f"<who {name}>"
    slots = {f"{letter}he": he, f"{letter}him": him, f"{letter}his": his, f"{letter}!": mark}
    if beings is NAMES:
        return {letter: name, f"{letter}?": mark, f"{letter}+": name, **slots}
    trait = rng.choice(("", FACTS[name]["character"] + " ", FACTS[name]["colour"] + " "))
    return {letter: f"the {name}", f"{letter}?": f"the {mark}", f"{letter}+": f"the {trait}{name}", **slots}
