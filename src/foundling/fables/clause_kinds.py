"""Clauses drawn at random, kind by kind, from the trilingual lexicon; `combination` names what decides their split."""

from dataclasses import replace
from random import Random

from foundling.fables.clauses import Clause, Phrase, Where
from foundling.fables.translations import (
    ACT,
    ANIMALS,
    BE,
    CHILDREN,
    COLOURS,
    COME,
    EAT,
    ENTER,
    FOOD,
    GIVE,
    GO,
    HANDLE,
    HAVE,
    LOOKS,
    MEET,
    NATURES,
    NOW,
    PEOPLE,
    PLACES,
    SERVE,
    SIZES,
    THEN,
    THINGS,
    Adjective,
    Noun,
    Place,
)

BEINGS = ANIMALS + PEOPLE + CHILDREN
GOODS = THINGS + FOOD
HE = Noun(("he", "they"), ("er", "sie"), "m", False, ("il", "ils"), "m", False)
SHE = Noun(("she", "they"), ("sie", "sie"), "f", False, ("elle", "elles"), "f", False)
STRANGERS = PEOPLE[:-1]  # one says "my grandmother", not "my miller"
SHE_NAMES = ("queen", "woman", "grandmother", "girl")


def combination(clause: Clause) -> list[str]:
    """The words that decide the split: nouns and verb, and an adjective only where it is what is said."""
    others = [part.noun for part in (clause.direct, clause.indirect, clause.than) if part]
    if clause.where:
        others.append(clause.where.place.noun)
    words = [*sorted(one.noun.english[0] for one in clause.subjects), clause.verb.english[0]]
    words += [noun.english[0] for noun in others] + ([clause.quality.english[0]] if clause.quality else [])
    return words + (combination(clause.because) if clause.because else [])


def draw_clause(rng: Random) -> Clause:
    """Draw a clause of one of the kinds, then its tense, negation, form and opener."""
    said = replace(rng.choice(KINDS)(rng), past=rng.randrange(2) == 0)
    if said.than is None and all(one.determiner in ("the", "my", "") for one in said.subjects):
        definite = said.direct is None or said.direct.determiner in ("the", "my") or not said.verb.dative
        counted = said.direct is not None and said.direct.determiner in ("two", "three")
        if definite and not counted and rng.randrange(5) == 0:
            said = replace(said, negated=True)
    draw = rng.randrange(12)
    if draw < 2:
        return replace(said, opener=rng.choice(THEN if said.past else NOW))
    if said.negated:
        return said
    if draw == 2:
        return replace(said, form="question")
    if draw == 3 and said.direct and not said.indirect and len(said.subjects) == 1:
        return replace(said, form="who", subjects=())
    if draw == 4 and said.where and said.verb is BE and said.subjects[0].determiner in ("the", "my", ""):
        return replace(said, form="where", where=None)
    if draw < 8 and said.quality and not said.than and said.quality not in COLOURS:
        return replace(said, because=reason(rng, said))
    return said


def at_place(rng: Random) -> Clause:
    """The lion is in the forest."""
    return Clause(_subjects(rng, BEINGS + GOODS), BE, where=_where(rng, "at"))


def is_so(rng: Random) -> Clause:
    """The lion is tired."""
    noun = rng.choice(BEINGS + THINGS)
    return Clause((replace(_phrase(rng, noun, "the the my"), adjective=None),), BE, quality=rng.choice(_said_of(noun)))


def is_more(rng: Random) -> Clause:
    """The lion is bigger than the fox."""
    noun, other = _two(rng, rng.choice((ANIMALS, PEOPLE, THINGS)))
    quality = rng.choice([one for one in _said_of(noun) if one not in COLOURS])
    first, second = (replace(_phrase(rng, one, "the the a my"), adjective=None) for one in (noun, other))
    return Clause((first,), BE, quality=quality, than=second)


def handles(rng: Random) -> Clause:
    """The lion finds the key."""
    direct = _phrase(rng, rng.choice(GOODS), "the the the a a my two three")
    return Clause(_subjects(rng, BEINGS), rng.choice(HANDLE), direct=direct)


def has(rng: Random) -> Clause:
    """The lion has a key."""
    return Clause(_subjects(rng, BEINGS), HAVE, direct=_phrase(rng, rng.choice(GOODS), "the a a a a two three"))


def eats(rng: Random) -> Clause:
    """The lion eats an apple."""
    return Clause(_subjects(rng, BEINGS), EAT, direct=_phrase(rng, rng.choice(FOOD), "the the a a my two three"))


def meets(rng: Random) -> Clause:
    """The lion sees the fox; the lion helps the fox."""
    subject, other = _two(rng, BEINGS)
    verb = rng.choice(MEET + SERVE)
    return Clause(_subjects(rng, [subject]), verb, direct=_phrase(rng, other, "the the the my"))


def gives(rng: Random) -> Clause:
    """The lion gives the fox the key."""
    subject, other = _two(rng, BEINGS)
    gift = replace(_phrase(rng, rng.choice(GOODS), "the the a a two"), adjective=None)
    receiver = _phrase(rng, other, "the the the my")
    return Clause(_subjects(rng, [subject]), rng.choice(GIVE), direct=gift, indirect=receiver)


def acts(rng: Random) -> Clause:
    """The lion sleeps in the forest."""
    return Clause(_subjects(rng, BEINGS), rng.choice(ACT), where=_where(rng, "at"))


def goes(rng: Random) -> Clause:
    """The lion goes to the lake, into the forest, from the hill."""
    relation = rng.choice(("to", "into", "from"))
    verb = {"to": GO, "into": ENTER, "from": COME}[relation]
    return Clause(_subjects(rng, BEINGS), verb, where=_where(rng, relation))


KINDS = (at_place, at_place, is_so, is_more, handles, handles, has, eats, meets, meets, gives, acts, goes)


def reason(rng: Random, clause: Clause) -> Clause:
    """Because it has no key: a pronoun of the subject's gender in each language."""
    subject = clause.subjects[0]
    noun = subject.noun
    word = "it" if noun not in PEOPLE + CHILDREN else "she" if noun.english[0] in SHE_NAMES else "he"
    gender = "f" if noun.english[0] == "girl" else noun.german_gender
    german_word = {"m": "er", "f": "sie", "n": "es"}[gender]
    french_word = {"m": "il", "f": "elle"}[noun.french_gender]
    pronoun = Noun((word, "they"), (german_word, "sie"), gender, False, (french_word, french_word + "s"),
                   noun.french_gender, False)  # fmt: skip
    again = Phrase(pronoun, "", subject.plural)
    if noun in BEINGS and rng.randrange(2):
        lack = Phrase(rng.choice(GOODS), "a", rng.randrange(2) == 0)
        return Clause((again,), HAVE, clause.past, negated=rng.randrange(3) > 0, direct=lack)
    other = rng.choice([one for one in _said_of(noun) if one is not clause.quality and one not in COLOURS])
    return Clause((again,), BE, clause.past, quality=other)


def _subjects(rng: Random, nouns: list[Noun]) -> tuple[Phrase, ...]:
    draw = rng.randrange(12)
    if draw == 0 and nouns[0] in BEINGS:
        return (Phrase(*rng.choice(((HE, "", False), (SHE, "", False), (HE, "", True)))),)
    if draw == 1 and len(nouns) > 1:
        one, other = _two(rng, nouns)
        return (_phrase(rng, one, "the"), _phrase(rng, other, "the"))
    return (_phrase(rng, rng.choice(nouns), "the the the the a my two three"),)


def _phrase(rng: Random, noun: Noun, determiners: str) -> Phrase:
    """A noun with one of the determiners, sometimes in the plural, sometimes with an adjective."""
    determiner = rng.choice(determiners.split())
    if determiner == "my" and noun in STRANGERS:
        determiner = "the"
    plural = determiner in ("two", "three") or (determiner != "a" and rng.randrange(4) == 0)
    adjective = rng.choice(_fitting(noun)) if rng.randrange(3) == 0 else None
    return Phrase(noun, determiner, plural, adjective)


def _where(rng: Random, relation: str) -> Where:
    place = rng.choice([place for place in PLACES if _reached(place, relation)])
    return Where(relation, place, rng.choice(SIZES) if rng.randrange(4) == 0 else None)


def _reached(place: Place, relation: str) -> bool:
    """One goes into what has an inside, and to what has no top; one comes from all but a roof."""
    if relation == "into":
        return place.german == "in"
    return place.french != "sur" if relation == "to" else relation == "at" or place.noun.english[0] != "roof"


def _fitting(noun: Noun) -> list[Adjective]:
    """The adjectives that may stand beside a noun; "grand homme" and "vieille fille" mean something else."""
    if noun in CHILDREN:
        return NATURES[1:]
    if noun in PEOPLE:
        return SIZES[2:] + NATURES
    return _said_of(noun)


def _said_of(noun: Noun) -> list[Adjective]:
    """The adjectives that may be said of a noun."""
    if noun in FOOD:
        return SIZES[:2]
    if noun in THINGS:
        return SIZES + LOOKS + COLOURS
    return SIZES + NATURES + (COLOURS[:4] if noun in ANIMALS else [])


def _two(rng: Random, nouns: list[Noun]) -> tuple[Noun, Noun]:
    """Two different nouns."""
    first = rng.randrange(len(nouns))
    second = (first + 1 + rng.randrange(len(nouns) - 1)) % len(nouns)
    return nouns[first], nouns[second]
