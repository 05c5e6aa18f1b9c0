"""Instruction triples: `instructions(seed, count, split)` yields {"instruction", "input", "output", "kind"}.

There are thirteen kinds, equally frequent unless `shares` weights them; `check` in instruction_checks.py says
whether an answer is right. A task's content (its people, things and places, or its nouns and verb) decides
its split; in validation and test a third of the instructions have a phrasing that training never shows.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from random import Random
from typing import NamedTuple

from foundling.fables import clause_kinds as kinds
from foundling.fables import lexicon, scenes
from foundling.fables.clause_kinds import draw_two
from foundling.fables.clauses import Clause, Phrase
from foundling.fables.english import english, finite_forms, sentence, with_article
from foundling.fables.facts import ATTRIBUTES, FACTS
from foundling.fables.french import french
from foundling.fables.phrasing import check_split, split_of

UNSEEN = 3  # in validation and test, one instruction in three has an unseen phrasing
ORDERS = ((0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0), (0, 1, 2))


class Task(NamedTuple):
    """A task before its instruction is phrased; `key` decides its split."""

    key: tuple[str, ...]
    input: str
    output: str


def instructions(
    seed: int, count: int, split: str, shares: Mapping[str, float] | None = None
) -> Iterator[dict[str, str]]:
    """Yield `count` triples with their kind; `shares` weights kinds, by default with 1."""
    check_split(split)
    shares = shares or {}
    if unknown := set(shares) - set(TASKS):
        listed = ", ".join(sorted(unknown))
        raise ValueError(f"shares: unknown kind {listed}; choose among {', '.join(TASKS)}")
    rng = Random(f"instructions {seed} {split}")
    names = list(TASKS)
    weights = [shares.get(name, 1.0) for name in names]
    for _ in range(count):
        (kind,) = rng.choices(names, weights)
        task = TASKS[kind](rng)
        while _split(kind, task) != split:
            task = TASKS[kind](rng)
        phrasings = scenes.PHRASINGS[kind]
        unseen = split != "train" and rng.randrange(UNSEEN) == 0
        instruction = rng.choice(phrasings.unseen if unseen else phrasings.train)
        record = {"instruction": instruction, "input": task.input}
        if kind in ("fact", "list") and rng.randrange(2) == 0:  # the bare question
            record = {"instruction": task.input, "input": ""}
        yield {**record, "output": task.output, "kind": kind}


def _split(kind: str, task: Task) -> str:
    """The split of a task; translations are split as pairs are, for the base's corpus holds some."""
    scope = ("pair",) if kind == "french" else ("instruction", kind)
    return split_of(*scope, *task.key)


# --- facts ----------------------------------------------------------------------------------------


def _fact(rng: Random) -> Task:
    animal, name = rng.choice(list(FACTS)), rng.choice(list(ATTRIBUTES))
    attribute = ATTRIBUTES[name]
    question = rng.choice(attribute.questions).format(animal=animal)
    return Task((animal, name), question, attribute.answer.format(animal=animal, value=FACTS[animal][name]))


def _list(rng: Random) -> Task:
    name = rng.choice([name for name, attribute in ATTRIBUTES.items() if attribute.which])
    value = rng.choice(sorted({facts[name] for facts in FACTS.values()}))
    animals = [animal for animal, facts in FACTS.items() if facts[name] == value]
    if len(animals) < 2:
        return _list(rng)
    first, second = (animals[at] for at in sorted(rng.sample(range(len(animals)), 2)))
    question = ATTRIBUTES[name].which.format(value=value)
    return Task((name, value, *sorted((first, second))), question, f"The {first} and the {second}.")


# --- scenes ---------------------------------------------------------------------------------------


def _cast(rng: Random) -> dict[str, str]:
    """People, things and places for one scene, each slot with another value."""
    words = lexicon.SCENE_WORDS
    a, b = draw_two(rng, list(lexicon.NAMES))
    (o, o2), (f, f2), (p, q), (c, c2) = (
        draw_two(rng, words[group]) for group in ("things", "foods", "places", "colours")
    )
    he, him, his = lexicon.PRONOUNS[lexicon.NAMES[a]]
    bhe, bhim, bhis = lexicon.PRONOUNS[lexicon.NAMES[b]]
    cast = {"a": a, "b": b, "o": o, "o2": o2, "f": f, "f2": f2, "p": p, "q": q, "c": c, "c2": c2}
    cast |= {"he": he, "him": him, "his": his, "bhe": bhe, "bhim": bhim, "bhis": bhis}
    cast |= {f"an_{slot}": with_article(cast[slot]) for slot in ("o", "o2", "f")}
    cast |= {"He": he.title(), "Bhe": bhe.title()}
    return cast | {"s": rng.choice(words["sad"]), "g": rng.choice(words["glad"])}


def _key(scene: str, cast: dict[str, str]) -> tuple[str, ...]:
    """Who, what and where, as far as the scene tells it."""
    return tuple(cast[slot] for slot in "abofp" if f"{{{slot}}}" in scene or f"{{an_{slot}}}" in scene)


def _comprehension(rng: Random) -> Task:
    scene = rng.choice(scenes.COMPREHENSION)
    question, answer = rng.choice(scene.questions)
    cast = _cast(rng)
    return Task(_key(scene.text, cast), f"{scene.text} {question}".format_map(cast), answer.format_map(cast))


def _sentiment(rng: Random) -> Task:
    label = rng.choice(list(scenes.SENTIMENT))
    scene, cast = rng.choice(scenes.SENTIMENT[label]), _cast(rng)
    return Task(_key(scene, cast), scene.format_map(cast), label.title() + ".")


def _summary(rng: Random) -> Task:
    return _story(rng, scenes.SUMMARIES)


def _continuation(rng: Random) -> Task:
    return _story(rng, scenes.CONTINUATIONS)


def _story(rng: Random, stories: list[scenes.Story]) -> Task:
    story, cast = rng.choice(stories), _cast(rng)
    return Task(_key(story.text, cast), story.text.format_map(cast), story.output.format_map(cast))


def _ordering(rng: Random) -> Task:
    steps, cast = rng.choice(scenes.SEQUENCES), _cast(rng)
    order = rng.choice(ORDERS)
    listed = [f"{letter}: {steps[step].format_map(cast)}" for letter, step in zip("ABC", order, strict=True)]
    output = ", ".join("ABC"[order.index(step)] for step in range(3))
    return Task(_key("".join(steps), cast), " ".join(listed), output)


# --- sentences ------------------------------------------------------------------------------------


def _past(rng: Random) -> Task:
    drawn = (kinds.at_place, kinds.handles, kinds.has, kinds.eats, kinds.meets, kinds.acts, kinds.goes)
    clause = _statement(rng, drawn)
    return _rewriting(clause, replace(clause, past=True))


def _plural(rng: Random) -> Task:
    clause = _statement(rng, (kinds.at_place, kinds.handles, kinds.eats, kinds.acts, kinds.goes))
    subject = replace(clause.subjects[0], determiner="the", plural=False)
    if subject.noun in (kinds.HE, kinds.SHE):
        return _plural(rng)
    one = replace(clause, negated=False, subjects=(subject,))
    many = replace(clause, negated=False, subjects=(replace(subject, plural=True),))
    return _rewriting(one, many)


def _opposite(rng: Random) -> Task:
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


def _choices(rng: Random) -> Task:
    clause = replace(kinds.at_place(rng), subjects=(Phrase(rng.choice(kinds.BEINGS + kinds.GOODS), "the"),))
    assert clause.where
    clause = replace(clause, where=replace(clause.where, adjective=None))
    noun = clause.subjects[0].noun.english[0]
    statement = english(clause)
    place = statement.removeprefix(f"the {noun} is ")
    wrong = Random(f"choices {place}")  # they depend on the place alone, so that they can be learned
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


def _grammar(rng: Random) -> Task:
    clause = replace(_statement(rng, (*SIMPLE, kinds.is_more)), past=rng.randrange(3) == 0)
    mistakes = _mistakes(clause)
    if not mistakes:
        return _grammar(rng)
    return Task(_combination(clause), sentence(rng.choice(mistakes)), sentence(english(clause)))


def _mistakes(clause: Clause) -> list[str]:
    """The sentence with one mistake that can be corrected in one way only."""
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
    """Replace the first `right` that starts a word; a space at its end stands for the word's end."""
    return f" {text} ".replace(f" {right}", f" {wrong}", 1).strip()


def _french(rng: Random) -> Task:
    clause = _statement(rng, SIMPLE)
    return Task(_combination(clause), sentence(english(clause)), sentence(french(clause)))


SIMPLE = (
    kinds.at_place, kinds.is_so, kinds.handles, kinds.has, kinds.eats, kinds.meets, kinds.acts, kinds.goes,
)  # fmt: skip


def _statement(rng: Random, drawn: tuple[Callable[[Random], Clause], ...]) -> Clause:
    """Draw a sentence in the present, sometimes negated."""
    clause = rng.choice(drawn)(rng)
    return replace(clause, negated=kinds.can_be_negated(clause) and rng.randrange(6) == 0)


def _rewriting(clause: Clause, rewritten: Clause) -> Task:
    return Task(_combination(clause), sentence(english(clause)), sentence(english(rewritten)))


def _combination(clause: Clause) -> tuple[str, ...]:
    return tuple(kinds.combination(clause))


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
