"""Sample clauses of several kinds from the lexicon; `combination` returns the words that decide the split."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import TypeVar

from foundling.fables import lexicon
from foundling.fables.clauses import Clause, Phrase, Where
from foundling.fables.lexicon import Adjective, Noun, Place

T = TypeVar("T")

BEINGS = lexicon.ANIMAL_NOUNS + lexicon.PERSON_NOUNS + lexicon.CHILD_NOUNS
GOODS = lexicon.THING_NOUNS + lexicon.FOOD_NOUNS
HE = Noun(("he", "they"), ("er", "sie"), "m", False, ("il", "ils"), "m", False)
SHE = Noun(("she", "they"), ("sie", "sie"), "f", False, ("elle", "elles"), "f", False)
STRANGERS = lexicon.PERSON_NOUNS[:-1]  # "my grandmother" is said, "my miller" is not
FEMALE = ("queen", "woman", "grandmother", "girl")
DEFINITE = ("the", "my", "")
COUNTED = ("two", "three")


def combination(clause: Clause) -> list[str]:
    """Return the words that decide the split: nouns and verb, and an adjective that is the predicate."""
    words = sorted(subject.noun.english[0] for subject in clause.subjects)
    words.append(clause.verb.english[0])
    words += [part.noun.english[0] for part in (clause.direct, clause.indirect, clause.than) if part]
    if clause.where:
        words.append(clause.where.place.noun.english[0])
    if clause.quality:
        words.append(clause.quality.english[0])
    if clause.because:
        words += combination(clause.because)
    return words


def draw_clause(rng: Random) -> Clause:
    """Draw a clause of a random kind, then its tense, negation, opener and form."""
    kind = rng.choice(KINDS)
    clause = replace(kind(rng), past=rng.randrange(2) == 0)
    if can_be_negated(clause) and rng.randrange(5) == 0:
        clause = replace(clause, negated=True)
    draw = rng.randrange(12)
    if draw < 2:
        return replace(clause, opener=rng.choice(lexicon.THEN if clause.past else lexicon.NOW))
    if clause.negated:
        return clause
    if draw == 2:
        return replace(clause, form="question")
    if draw == 3 and _allows_who(clause):
        return replace(clause, form="who", subjects=())
    if draw == 4 and _allows_where(clause):
        return replace(clause, form="where", where=None)
    if draw < 8 and _allows_reason(clause):
        return replace(clause, because=reason(rng, clause))
    return clause


def can_be_negated(clause: Clause) -> bool:
    """Whether the negation is natural in all three languages: not with "a lion", nor with "two keys"."""
    if clause.than or (clause.direct and clause.direct.determiner in COUNTED):
        return False
    return all(subject.determiner in DEFINITE for subject in clause.subjects)


def _allows_who(clause: Clause) -> bool:
    """Who sees the fox?"""
    return clause.direct is not None and clause.indirect is None and len(clause.subjects) == 1


def _allows_where(clause: Clause) -> bool:
    """Where is the lion?"""
    is_at_place = clause.where is not None and clause.verb is lexicon.BE
    return is_at_place and clause.subjects[0].determiner in DEFINITE


def _allows_reason(clause: Clause) -> bool:
    """The lion is sad because …"""
    return clause.quality is not None and clause.than is None and clause.quality not in lexicon.COLOURS


def at_place(rng: Random) -> Clause:
    """The lion is in the forest."""
    return Clause(_subjects(rng, BEINGS + GOODS), lexicon.BE, where=_where(rng, "at"))


def is_so(rng: Random) -> Clause:
    """The lion is tired."""
    noun = rng.choice(BEINGS + lexicon.THING_NOUNS)
    subject = replace(_phrase(rng, noun, "the the my"), adjective=None)
    return Clause((subject,), lexicon.BE, quality=rng.choice(_predicates(noun)))


def is_more(rng: Random) -> Clause:
    """The lion is bigger than the fox."""
    noun, other = draw_two(rng, rng.choice((lexicon.ANIMAL_NOUNS, lexicon.PERSON_NOUNS, lexicon.THING_NOUNS)))
    quality = rng.choice([one for one in _predicates(noun) if one not in lexicon.COLOURS])
    first, second = (replace(_phrase(rng, one, "the the a my"), adjective=None) for one in (noun, other))
    return Clause((first,), lexicon.BE, quality=quality, than=second)


def handles(rng: Random) -> Clause:
    """The lion finds the key."""
    direct = _phrase(rng, rng.choice(GOODS), "the the the a a my two three")
    return Clause(_subjects(rng, BEINGS), rng.choice(lexicon.HANDLE), direct=direct)


def has(rng: Random) -> Clause:
    """The lion has a key."""
    subjects = _subjects(rng, BEINGS)
    return Clause(subjects, lexicon.HAVE, direct=_phrase(rng, rng.choice(GOODS), "the a a a a two three"))


def eats(rng: Random) -> Clause:
    """The lion eats an apple."""
    subjects = _subjects(rng, BEINGS)
    direct = _phrase(rng, rng.choice(lexicon.FOOD_NOUNS), "the the a a my two three")
    return Clause(subjects, lexicon.EAT, direct=direct)


def meets(rng: Random) -> Clause:
    """The lion sees the fox; the lion helps the fox."""
    subject, other = draw_two(rng, BEINGS)
    verb = rng.choice(lexicon.MEET + lexicon.SERVE)
    return Clause(_subjects(rng, [subject]), verb, direct=_phrase(rng, other, "the the the my"))


def gives(rng: Random) -> Clause:
    """The lion gives the fox the key."""
    subject, other = draw_two(rng, BEINGS)
    gift = replace(_phrase(rng, rng.choice(GOODS), "the the a a two"), adjective=None)
    receiver = _phrase(rng, other, "the the the my")
    return Clause(_subjects(rng, [subject]), rng.choice(lexicon.GIVE), direct=gift, indirect=receiver)


def acts(rng: Random) -> Clause:
    """The lion sleeps in the forest."""
    return Clause(_subjects(rng, BEINGS), rng.choice(lexicon.ACT), where=_where(rng, "at"))


def goes(rng: Random) -> Clause:
    """The lion goes to the lake, into the forest, comes from the hill."""
    relation = rng.choice(("to", "into", "from"))
    verb = {"to": lexicon.GO, "into": lexicon.ENTER, "from": lexicon.COME}[relation]
    return Clause(_subjects(rng, BEINGS), verb, where=_where(rng, relation))


KINDS = (at_place, at_place, is_so, is_more, handles, handles, has, eats, meets, meets, gives, acts, goes)


def reason(rng: Random, clause: Clause) -> Clause:
    """Draw a reason about the clause's subject: because it has no key, because it is tired."""
    subject = clause.subjects[0]
    again = Phrase(_pronoun(subject.noun), "", subject.plural)
    if subject.noun in BEINGS and rng.randrange(2):
        direct = Phrase(rng.choice(GOODS), "a", rng.randrange(2) == 0)
        return Clause((again,), lexicon.HAVE, clause.past, negated=rng.randrange(3) > 0, direct=direct)
    excluded = [clause.quality, *lexicon.COLOURS]
    others = [one for one in _predicates(subject.noun) if one not in excluded]
    return Clause((again,), lexicon.BE, clause.past, quality=rng.choice(others))


def _pronoun(noun: Noun) -> Noun:
    """The pronoun for a noun, with its gender in each language; for "das Mädchen" it is "sie"."""
    name = noun.english[0]
    english = "it"
    if noun in lexicon.PERSON_NOUNS + lexicon.CHILD_NOUNS:
        english = "she" if name in FEMALE else "he"
    gender = "f" if name == "girl" else noun.german_gender
    german = {"m": "er", "f": "sie", "n": "es"}[gender]
    french = {"m": "il", "f": "elle"}[noun.french_gender]
    return Noun(
        english=(english, "they"),
        german=(german, "sie"),
        german_gender=gender,
        weak=False,
        french=(french, french + "s"),
        french_gender=noun.french_gender,
        aspirated=False,
    )


def _subjects(rng: Random, nouns: list[Noun]) -> tuple[Phrase, ...]:
    draw = rng.randrange(12)
    if draw == 0 and nouns[0] in BEINGS:
        noun, plural = rng.choice(((HE, False), (SHE, False), (HE, True)))
        return (Phrase(noun, "", plural),)
    if draw == 1 and len(nouns) > 1:
        first, second = draw_two(rng, nouns)
        return (_phrase(rng, first, "the"), _phrase(rng, second, "the"))
    return (_phrase(rng, rng.choice(nouns), "the the the the a my two three"),)


def _phrase(rng: Random, noun: Noun, determiners: str) -> Phrase:
    """A noun with one of the determiners, sometimes in the plural, sometimes with an adjective."""
    determiner = rng.choice(determiners.split())
    if determiner == "my" and noun in STRANGERS:
        determiner = "the"
    plural = determiner in COUNTED or (determiner != "a" and rng.randrange(4) == 0)
    adjective = rng.choice(_attributes(noun)) if rng.randrange(3) == 0 else None
    return Phrase(noun, determiner, plural, adjective)


def _where(rng: Random, relation: str) -> Where:
    place = rng.choice([place for place in lexicon.PLACE_NOUNS if _reachable(place, relation)])
    return Where(relation, place, rng.choice(lexicon.SIZES) if rng.randrange(4) == 0 else None)


def _reachable(place: Place, relation: str) -> bool:
    """Beings go into places with an inside and to places without a top, and come from anywhere but a roof."""
    if relation == "into":
        return place.german == "in"
    if relation == "to":
        return place.french != "sur"
    return relation == "at" or place.noun.english[0] != "roof"


def _attributes(noun: Noun) -> list[Adjective]:
    """The adjectives that may precede a noun; "grand homme" and "vieille fille" mean something else."""
    if noun in lexicon.CHILD_NOUNS:
        return lexicon.NATURES[1:]
    if noun in lexicon.PERSON_NOUNS:
        return lexicon.SIZES[2:] + lexicon.NATURES
    return _predicates(noun)


def _predicates(noun: Noun) -> list[Adjective]:
    """The adjectives that may be said of a noun."""
    if noun in lexicon.FOOD_NOUNS:
        return lexicon.SIZES[:2]
    if noun in lexicon.THING_NOUNS:
        return lexicon.SIZES + lexicon.LOOKS + lexicon.COLOURS
    return lexicon.SIZES + lexicon.NATURES + (lexicon.COLOURS[:4] if noun in lexicon.ANIMAL_NOUNS else [])


def draw_two(rng: Random, values: Sequence[T]) -> tuple[T, T]:
    """Draw two different values."""
    first = rng.randrange(len(values))
    second = (first + 1 + rng.randrange(len(values) - 1)) % len(values)
    return values[first], values[second]
