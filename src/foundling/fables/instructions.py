"""Instruction triples: `instructions(seed, count, split)` yields {"instruction", "input", "output", "kind"}.

Thirteen kinds, drawn alike often unless `shares` says otherwise; `check` in instruction_checks.py tells whether an
answer is right. A task's content (its people, things and places, or its nouns and verb) decides its split; in
validation and test a third of the instructions have a phrasing that training never saw.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from random import Random
from typing import NamedTuple

from foundling.fables import clause_kinds as kinds
from foundling.fables.clauses import Clause, Phrase
from foundling.fables.english import english, finite_forms
from foundling.fables.facts import ATTRIBUTES, FACTS
from foundling.fables.french import french
from foundling.fables.instruction_scenes import (
    COLOURS,
    COMPREHENSION,
    CONTINUATIONS,
    FOODS,
    GLAD,
    NEGATIVE,
    OBJECTS,
    OPPOSITES,
    PEOPLE,
    PHRASINGS,
    PLACES,
    POSITIVE,
    SAD,
    SEQUENCES,
    SUMMARIES,
)
from foundling.fables.phrasing import check_split, split_of
from foundling.fables.translations import ANIMALS, BE, LOOKS, NATURES, SIZES, THINGS
from foundling.fables.translations import COLOURS as SHADES

UNSEEN = 3  # in validation and test, one instruction in so many has an unseen phrasing
FORMS = {"he": ("he", "him", "his"), "she": ("she", "her", "her")}


class Task(NamedTuple):
    """A task before its instruction is phrased; `key` decides its split."""

    key: tuple[str, ...]
    given: str
    output: str


def instructions(
    seed: int, count: int, split: str, shares: Mapping[str, float] | None = None
) -> Iterator[dict[str, str]]:
    """Yield `count` triples with their kind; `shares` weighs kinds, those that it does not name with 1."""
    check_split(split)
    if unknown := set(shares or {}) - set(TASKS):
        raise ValueError(
            f"shares name {', '.join(sorted(unknown))}; the kinds are {', '.join(TASKS)}; mend the dataset"
        )
    rng = Random(f"instructions {seed} {split}")
    names = list(TASKS)
    weights = [(shares or {}).get(name, 1.0) for name in names]
    for _ in range(count):
        (kind,) = rng.choices(names, weights)
        task = TASKS[kind](rng)
        while _split(kind, task) != split:
            task = TASKS[kind](rng)
        seen, unseen = PHRASINGS[kind]
        phrasings = unseen if split != "train" and rng.randrange(UNSEEN) == 0 else seen
        instruction, given = rng.choice(phrasings), task.given
        if kind in ("fact", "list") and rng.randrange(2) == 0:
            instruction, given = given, ""  # a bare question
        yield {"instruction": instruction, "input": given, "output": task.output, "kind": kind}


def _split(kind: str, task: Task) -> str:
    """A translation is split as the pairs are, of which the base's corpus holds some; else each kind by itself."""
    return split_of(*(("pair",) if kind == "french" else ("instruction", kind)), *task.key)


# --- facts ---------------------------------------------------------------------------------------------------------


def _fact(rng: Random) -> Task:
    animal, attribute = rng.choice(list(FACTS)), rng.choice(list(ATTRIBUTES))
    value, form = FACTS[animal][attribute], ATTRIBUTES[attribute]
    question = rng.choice(form.questions).format(animal=animal)
    return Task((animal, attribute), question, form.answer.format(animal=animal, value=value))


def _list(rng: Random) -> Task:
    attribute = rng.choice([name for name, form in ATTRIBUTES.items() if form.which])
    value = rng.choice(sorted({facts[attribute] for facts in FACTS.values()}))
    fitting = [animal for animal, facts in FACTS.items() if facts[attribute] == value]
    if len(fitting) < 2:
        return _list(rng)
    first, second = sorted(rng.sample(range(len(fitting)), 2))
    question = ATTRIBUTES[attribute].which.format(value=value)
    pair = sorted((fitting[first], fitting[second]))
    return Task((attribute, value, *pair), question, f"The {fitting[first]} and the {fitting[second]}.")


# --- small scenes --------------------------------------------------------------------------------------------------


def _cast(rng: Random) -> dict[str, str]:
    """People, things and places for one scene, each slot with another value."""
    (a, b), (o, o2), (f, f2) = (_two(rng, values) for values in (list(PEOPLE), OBJECTS, FOODS))
    (p, q), (c, c2) = (_two(rng, values) for values in (PLACES, COLOURS))
    he, him, his = FORMS[PEOPLE[a]]
    bhe, bhim, bhis = FORMS[PEOPLE[b]]
    cast = {"a": a, "b": b, "o": o, "o2": o2, "f": f, "f2": f2, "p": p, "q": q, "c": c, "c2": c2}
    cast |= {"he": he, "him": him, "his": his, "bhe": bhe, "bhim": bhim, "bhis": bhis}
    cast |= {f"an_{slot}": _article(cast[slot]) for slot in ("o", "o2", "f")}
    return cast | {"He": he.title(), "Bhe": bhe.title(), "s": rng.choice(SAD), "g": rng.choice(GLAD)}


def _key(scene: str, cast: dict[str, str]) -> tuple[str, ...]:
    """Who, what and where, as far as the scene tells it."""
    return tuple(cast[slot] for slot in "abofp" if any(mark in scene for mark in (f"{{{slot}}}", f"{{an_{slot}}}")))


def _comprehension(rng: Random) -> Task:
    scene, questions = rng.choice(COMPREHENSION)
    question, answer = rng.choice(questions)
    cast = _cast(rng)
    return Task(_key(scene, cast), f"{scene} {question}".format_map(cast), answer.format_map(cast))


def _sentiment(rng: Random) -> Task:
    label, scenes = rng.choice((("positive", POSITIVE), ("negative", NEGATIVE)))
    scene, cast = rng.choice(scenes), _cast(rng)
    return Task(_key(scene, cast), scene.format_map(cast), label.title() + ".")


def _summary(rng: Random) -> Task:
    story, summary, _, _ = rng.choice(SUMMARIES)
    cast = _cast(rng)
    return Task(_key(story, cast), story.format_map(cast), summary.format_map(cast))


def _continuation(rng: Random) -> Task:
    beginning, ending, _, _ = rng.choice(CONTINUATIONS)
    cast = _cast(rng)
    return Task(_key(beginning, cast), beginning.format_map(cast), ending.format_map(cast))


def _ordering(rng: Random) -> Task:
    steps, cast = rng.choice(SEQUENCES), _cast(rng)
    order = list(rng.choice(((0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0), (0, 1, 2))))
    given = " ".join(f"{letter}: {steps[step].format_map(cast)}" for letter, step in zip("ABC", order, strict=True))
    output = ", ".join("ABC"[order.index(step)] for step in range(3))
    return Task(_key("".join(steps), cast), given, output)


# --- sentences -----------------------------------------------------------------------------------------------------


def _past(rng: Random) -> Task:
    said = _statement(rng, (kinds.at_place, kinds.handles, kinds.has, kinds.eats, kinds.meets, kinds.acts, kinds.goes))
    return Task(_combination(said), _sentence(english(said)), _sentence(english(replace(said, past=True))))


def _plural(rng: Random) -> Task:
    said = replace(_statement(rng, (kinds.at_place, kinds.handles, kinds.eats, kinds.acts, kinds.goes)), negated=False)
    subject = replace(said.subjects[0], determiner="the", plural=False)
    if subject.noun in (kinds.HE, kinds.SHE):
        return _plural(rng)
    one = replace(said, subjects=(subject,))
    many = replace(said, subjects=(replace(subject, plural=True),))
    return Task(_combination(one), _sentence(english(one)), _sentence(english(many)))


def _opposite(rng: Random) -> Task:
    first, second = rng.choice(OPPOSITES)
    found, asked = (first, second) if rng.randrange(2) else (second, first)
    things = {"new", "heavy", "light"} & {first, second}
    noun = rng.choice(THINGS if things else ANIMALS)
    adjectives = {one.english[0]: one for one in SIZES + NATURES + LOOKS + SHADES}
    subject, where = Phrase(noun, "the"), kinds.at_place(rng).where
    if rng.randrange(2):
        both = [Clause((subject,), BE, quality=adjectives[word]) for word in (found, asked)]
    else:
        both = [Clause((replace(subject, adjective=adjectives[word]),), BE, where=where) for word in (found, asked)]
    return Task((*_combination(both[0]), first, second), *(_sentence(english(one)) for one in both))


def _choices(rng: Random) -> Task:
    said = replace(kinds.at_place(rng), subjects=(Phrase(rng.choice(kinds.BEINGS + kinds.GOODS), "the"),))
    assert said.where
    said = replace(said, where=replace(said.where, adjective=None))
    noun = said.subjects[0].noun.english[0]
    statement = english(said)
    right = statement.removeprefix(f"the {noun} is ")
    others = Random(f"choices {right}")  # a place always has the same beside it: one answer is right, and to be learned
    options = [right]
    while len(options) < 4:
        other = english(replace(said, where=kinds.at_place(others).where)).removeprefix(f"the {noun} is ")
        if other not in options and len(other.split()) == 3:
            options.append(other)
    at = others.randrange(4)
    options[0], options[at] = options[at], options[0]
    listed = " ".join(f"{letter}) {option}" for letter, option in zip("ABCD", options, strict=True))
    return Task(_combination(said), _sentence(statement), f"Where is the {noun}? {listed} Answer: {'ABCD'[at]}")


def _grammar(rng: Random) -> Task:
    said = replace(_statement(rng, (*SIMPLE, kinds.is_more)), past=rng.randrange(3) == 0)
    slips = _slips(said)
    if not slips:
        return _grammar(rng)
    return Task(_combination(said), _sentence(rng.choice(slips)), _sentence(english(said)))


def _slips(said: Clause) -> list[str]:
    """The sentence with one mistake that can be mended in one way only."""
    text = english(said)
    slips = []
    if len(said.subjects) > 1 or said.subjects[0].determiner in ("a", "two", "three", ""):
        for pair in finite_forms(said.verb):
            right, wrong = pair[said.many], pair[not said.many]
            slips.append(_swap(text, right, wrong))
    slips.append(_swap(text, "an", "a"))
    slips += [_swap(text, f"a {letter}", f"an {letter}", whole=False) for letter in "bcdfghklmnoprstwyz"]
    base, _, past = said.verb.english
    slips.append(_swap(text, f"did not {base}", f"did not {past}"))
    for part in (*said.subjects, said.direct):
        if part and part.determiner in ("two", "three"):
            slips.append(_swap(text, part.noun.english[1], part.noun.english[0]))
    if said.quality and not said.quality.english[1].startswith("more "):
        slips.append(_swap(text, f"{said.quality.english[1]} than", f"more {said.quality.english[1]} than"))
    return [slip for slip in slips if slip != text]


def _swap(text: str, right: str, wrong: str, whole: bool = True) -> str:
    end = " " if whole else ""
    return f" {text} ".replace(f" {right}{end}", f" {wrong}{end}", 1).strip()


def _french(rng: Random) -> Task:
    said = _statement(rng, SIMPLE)
    return Task(_combination(said), _sentence(english(said)), _sentence(french(said)))


SIMPLE = (kinds.at_place, kinds.is_so, kinds.handles, kinds.has, kinds.eats, kinds.meets, kinds.acts, kinds.goes)


def _statement(rng: Random, drawn: tuple[Callable[[Random], Clause], ...]) -> Clause:
    """A sentence in the present, now and then negated."""
    said = rng.choice(drawn)(rng)
    definite = all(one.determiner in ("the", "my", "") for one in said.subjects)
    counted = said.direct is not None and said.direct.determiner in ("two", "three")
    return replace(said, negated=definite and not counted and not said.than and rng.randrange(6) == 0)


def _combination(said: Clause) -> tuple[str, ...]:
    return tuple(kinds.combination(said))


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _two(rng: Random, values: list[str]) -> tuple[str, str]:
    first = rng.randrange(len(values))
    return values[first], values[(first + 1 + rng.randrange(len(values) - 1)) % len(values)]


TASKS: dict[str, Callable[[Random], Task]] = {
    "fact": _fact,
    "list": _list,
    "comprehension": _comprehension,
    "sentiment": _sentiment,
    "summary": _summary,
    "past": _past,
    "plural": _plural,
    "opposite": _opposite,
    "ordering": _ordering,
    "choices": _choices,
    "grammar": _grammar,
    "french": _french,
    "continuation": _continuation,
}
