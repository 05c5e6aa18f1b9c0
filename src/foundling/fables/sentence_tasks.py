"""Tasks on sentences: rewrite, correct, ask about or translate one; `key` decides a task's split."""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import NamedTuple

from foundling.fables import clause_kinds as kinds
from foundling.fables import lexicon
from foundling.fables.clauses import Clause, Phrase
from foundling.fables.english import english, finite_forms, sentence
from foundling.fables.french import french as french_words

SIMPLE = (
    kinds.at_place, kinds.is_so, kinds.handles, kinds.has, kinds.eats, kinds.meets, kinds.acts, kinds.goes,
)  # fmt: skip


class Task(NamedTuple):
    """A task before its instruction is phrased; `key` decides its split."""

    key: tuple[str, ...]
    input: str
    output: str


def past(rng: Random) -> Task:
    """A sentence in the present, to be put into the past."""
    drawn = (kinds.at_place, kinds.handles, kinds.has, kinds.eats, kinds.meets, kinds.acts, kinds.goes)
    clause = _statement(rng, drawn)
    return _rewriting(clause, replace(clause, past=True))


def plural(rng: Random) -> Task:
    """A sentence about one, to be said of several."""
    clause = _statement(rng, (kinds.at_place, kinds.handles, kinds.eats, kinds.acts, kinds.goes))
    subject = replace(clause.subjects[0], determiner="the", plural=False)
    if subject.noun in (kinds.HE, kinds.SHE):
        return plural(rng)
    one = replace(clause, negated=False, subjects=(subject,))
    many = replace(clause, negated=False, subjects=(replace(subject, plural=True),))
    return _rewriting(one, many)


def opposite(rng: Random) -> Task:
    """A sentence with an adjective, to be turned into its opposite."""
    words = rng.choice(lexicon.OPPOSITES)
    shown, hidden = words if rng.randrange(2) else words[::-1]
    of_things = not {"new", "heavy", "light"}.isdisjoint(words)
    noun = rng.choice(lexicon.THING_NOUNS if of_things else lexicon.ANIMAL_NOUNS)
    every = lexicon.SIZES + lexicon.NATURES + lexicon.LOOKS + lexicon.COLOURS
    adjectives = {adjective.english[0]: adjective for adjective in every}
    subject, where = Phrase(noun, "the"), kinds.at_place(rng).where
    if rng.randrange(2):
        first, second = (Clause((subject,), lexicon.BE, quality=adjectives[word]) for word in (shown, hidden))
    else:
        subjects = [replace(subject, adjective=adjectives[word]) for word in (shown, hidden)]
        first, second = (Clause((one,), lexicon.BE, where=where) for one in subjects)
    task = _rewriting(first, second)
    return task._replace(key=(*task.key, *words))


def choices(rng: Random) -> Task:
    """A sentence, to be asked about with four choices."""
    clause = replace(kinds.at_place(rng), subjects=(Phrase(rng.choice(kinds.BEINGS + kinds.GOODS), "the"),))
    assert clause.where
    clause = replace(clause, where=replace(clause.where, adjective=None))
    noun = clause.subjects[0].noun.english[0]
    statement = english(clause)
    place = statement.removeprefix(f"the {noun} is ")
    wrong = Random(f"choices {place}")  # they depend only on the place, so that they can be learned
    options = [place]
    while len(options) < 4:
        other = english(replace(clause, where=kinds.at_place(wrong).where)).removeprefix(f"the {noun} is ")
        if other not in options and len(other.split()) == 3:
            options.append(other)
    at = wrong.randrange(4)
    options[0], options[at] = options[at], options[0]
    listed = " ".join(f"{letter}) {option}" for letter, option in zip("ABCD", options, strict=True))
    output = f"Where is the {noun}? {listed} Answer: {'ABCD'[at]}"
    return Task(_combination(clause), sentence(statement), output)


def grammar(rng: Random) -> Task:
    """A sentence with a mistake, to be corrected."""
    clause = replace(_statement(rng, (*SIMPLE, kinds.is_more)), past=rng.randrange(3) == 0)
    mistakes = _mistakes(clause)
    if not mistakes:
        return grammar(rng)
    return Task(_combination(clause), sentence(rng.choice(mistakes)), sentence(english(clause)))


def _mistakes(clause: Clause) -> list[str]:
    """The sentence with one mistake that can be corrected in only one way."""
    text = english(clause)
    variants = []
    if len(clause.subjects) > 1 or clause.subjects[0].determiner in ("a", *kinds.COUNTED, ""):
        for forms in finite_forms(clause.verb):
            variants.append(_swap(text, f"{forms[clause.many]} ", f"{forms[not clause.many]} "))
    variants.append(_swap(text, "an ", "a "))
    variants += [_swap(text, f"a {letter}", f"an {letter}") for letter in "bcdfghklmnoprstwyz"]
    base, _, past = clause.verb.english
    variants.append(_swap(text, f"did not {base} ", f"did not {past} "))
    for part in (*clause.subjects, clause.direct):
        if part and part.determiner in kinds.COUNTED:
            one, many = part.noun.english
            variants.append(_swap(text, f"{many} ", f"{one} "))
    if clause.quality and not clause.quality.english[1].startswith("more "):
        comparative = clause.quality.english[1]
        variants.append(_swap(text, f"{comparative} than ", f"more {comparative} than "))
    return [variant for variant in variants if variant != text]


def _swap(text: str, right: str, wrong: str) -> str:
    """Replace the first `right` at the start of a word; a space at its end matches the end of a word."""
    return f" {text} ".replace(f" {right}", f" {wrong}", 1).strip()


def french(rng: Random) -> Task:
    """A sentence, to be translated into French."""
    clause = _statement(rng, SIMPLE)
    return Task(_combination(clause), sentence(english(clause)), sentence(french_words(clause)))


def _statement(rng: Random, drawn: tuple[Callable[[Random], Clause], ...]) -> Clause:
    """Draw a sentence in the present, sometimes negated."""
    clause = rng.choice(drawn)(rng)
    return replace(clause, negated=kinds.can_be_negated(clause) and rng.randrange(6) == 0)


def _rewriting(clause: Clause, rewritten: Clause) -> Task:
    return Task(_combination(clause), sentence(english(clause)), sentence(english(rewritten)))


def _combination(clause: Clause) -> tuple[str, ...]:
    return tuple(kinds.combination(clause))
