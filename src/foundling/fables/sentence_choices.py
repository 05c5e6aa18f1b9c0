"""Benchmark questions whose choices are whole sentences: which translates a sentence, which sums up a story?

`sentence_choices(seed, count, split)` yields records as benchmark.py does. Kinds:

    translation    an English sentence, and four French ones, as the phrase book of the corpus has them
    summary        a story in which one being does something to another, and four sentences that say so

The four choices are symmetric, so that none of them stands out to someone who has not read the query: of two
subjects and two other parts, a translation's choices are all combinations; a summary's choices say of one of
three beings that it acted on each of the others, or each of them on it. Any of them is equally often right.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import cycle
from random import Random
from typing import Any, TypeVar

from foundling.fables import lexicon
from foundling.fables.clause_kinds import STRANGERS, combination, draw_clause
from foundling.fables.clauses import Clause, Phrase
from foundling.fables.english import capitalized, english
from foundling.fables.french import french
from foundling.fables.lexicon import Place
from foundling.fables.phrasing import check_split, split_of
from foundling.fables.plots.deeds import QUARREL, RESCUE, TRICK, quarrel, rescue, trick
from foundling.fables.plots.keeping import EXCHANGE, exchange
from foundling.fables.tales import plain, tale

T = TypeVar("T")
Record = dict[str, Any]
KINDS = ("translation", "summary")
SUMMARIES = {exchange: EXCHANGE, trick: TRICK, rescue: RESCUE, quarrel: QUARREL}
NOUNS = (lexicon.ANIMAL_NOUNS, lexicon.PERSON_NOUNS, lexicon.THING_NOUNS, lexicon.FOOD_NOUNS)
ADJECTIVES = (lexicon.SIZES, lexicon.NATURES, lexicon.LOOKS)
START = "In short,"  # of a summary


def sentence_choices(seed: int, count: int, split: str) -> Iterator[Record]:
    """Yield `count` records, the kinds in turn; none of their combinations is in another split."""
    check_split(split)
    rng = Random(f"sentence choices {seed} {split}")
    make = {"translation": _translation, "summary": _summary}
    for kind, _ in zip(cycle(KINDS), range(count), strict=False):
        yield {"kind": kind, **make[kind](rng, split)}


def _translation(rng: Random, split: str) -> Record:
    """A sentence and the translations of all combinations of two subjects and two other parts."""
    clauses: list[Clause] = []
    gold = rng.randrange(4)
    while not clauses or split_of("pair", *combination(clauses[gold])) != split:
        clauses = _combinations(rng, draw_clause(rng))
    return {
        "query": f"English: {capitalized(english(clauses[gold]))}. French:",
        "choices": [f"{capitalized(french(clause))}." for clause in clauses],
        "gold": gold,
        "control": "French:",
    }


def _combinations(rng: Random, clause: Clause) -> list[Clause]:
    """The clause, and the same with another subject, another part, and both; none if it lacks either."""
    if clause.form != "statement" or clause.because or clause.than or len(clause.subjects) != 1:
        return []
    subject = _with_another_noun(rng, clause.subjects[0])
    if subject is None:
        return []
    other = replace(clause, subjects=(subject,))
    changed = _with_another_part(rng, clause)
    if changed is None or changed.direct == subject:
        return []
    return [clause, other, changed, replace(changed, subjects=(subject,))]


def _with_another_part(rng: Random, clause: Clause) -> Clause | None:
    """The clause with another place, object or quality."""
    if clause.where:
        places = [place for place in lexicon.PLACE_NOUNS if _stands_alike(place, clause.where.place)]
        place = _another(rng, places, clause.where.place)
        return replace(clause, where=replace(clause.where, place=place)) if place else None
    if clause.direct and not clause.indirect:
        direct = _with_another_noun(rng, clause.direct)
        return replace(clause, direct=direct) if direct else None
    if clause.quality:
        alike = next((group for group in ADJECTIVES if clause.quality in group), [])
        quality = _another(rng, alike, clause.quality)
        return replace(clause, quality=quality) if quality else None
    return None


def _with_another_noun(rng: Random, phrase: Phrase) -> Phrase | None:
    """The phrase with another noun of the same group; None for pronouns, and for "my queen"."""
    group = next((nouns for nouns in NOUNS if phrase.noun in nouns), [])
    noun = _another(rng, group, phrase.noun)
    if noun is None or (phrase.determiner == "my" and noun in STRANGERS):
        return None
    return replace(phrase, noun=noun)


def _another(rng: Random, values: Sequence[T], value: T) -> T | None:
    """Another of the values, if there is one."""
    others = [other for other in values if other != value]
    return rng.choice(others) if others else None


def _stands_alike(place: Place, other: Place) -> bool:
    """Whether the two have the same prepositions."""
    return (place.english, place.german, place.french) == (other.english, other.german, other.french)


def _summary(rng: Random, split: str) -> Record:
    """A story, and four sentences that say who did it to whom."""
    plot = rng.choice(list(SUMMARIES))
    pattern = SUMMARIES[plot]["summary"][0].removeprefix(START.lower() + " ")
    told = tale(rng, split, [plot])
    story = [plain(line) for line in told.lines if not line.startswith(START)]
    beings = rng.sample("xyz", 3)
    pivot = rng.choice("xy")
    orders = [pair for other in beings if other != pivot for pair in ((pivot, other), (other, pivot))]
    return {
        "query": " ".join([*story, START]),
        "choices": [
            pattern.format(**{**told.roles, "x": told.roles[x], "y": told.roles[y]}) for x, y in orders
        ],
        "gold": orders.index(("x", "y")),
        "control": START,
    }
