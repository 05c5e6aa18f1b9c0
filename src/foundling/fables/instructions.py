"""Instruction triples: `instructions(seed, count, split)` yields {"instruction", "input", "output", "kind"}.

There are thirteen kinds of tasks, equally frequent unless `shares` weights them; `check` in
instruction_checks.py decides whether an answer is right. A task's content (its people, things and places, or
its nouns and verb) decides its split; in validation and in the test a third of the instructions have
phrasings that only that split has. If `shares` has a weight for it, there is also `conversation`
(conversation.py), whose records have `history`, the turn before.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from random import Random
from typing import Any

from foundling.fables import lexicon, scenes, sentence_tasks
from foundling.fables.clause_kinds import draw_two
from foundling.fables.conversation import conversation
from foundling.fables.english import with_article
from foundling.fables.facts import ATTRIBUTES, FACTS
from foundling.fables.phrasing import check_split, choose_phrasing, draw_in_split
from foundling.fables.sentence_tasks import Task

CONVERSATION = "conversation"
ORDERS = ((0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0), (0, 1, 2))


def instructions(
    seed: int, count: int, split: str, shares: Mapping[str, float] | None = None
) -> Iterator[dict[str, Any]]:
    """Yield `count` triples with their kind; `shares` weights kinds, by default tasks with 1."""
    check_split(split)
    shares = shares or {}
    kinds = [*TASKS, CONVERSATION]
    if unknown := set(shares) - set(kinds):
        listed = ", ".join(sorted(unknown))
        raise ValueError(f"shares: unknown kind {listed}; choose among {', '.join(kinds)}")
    rng = Random(f"instructions {seed} {split}")
    weights = [shares.get(kind, 0.0 if kind == CONVERSATION else 1.0) for kind in kinds]
    draw_task = partial(_record, rng, split)
    for _ in range(count):
        (kind,) = rng.choices(kinds, weights)
        yield conversation(rng, split, draw_task) if kind == CONVERSATION else draw_task(kind)


def _record(rng: Random, split: str, kind: str) -> dict[str, Any]:
    """A task of this kind and split, with its instruction."""
    task = draw_in_split(split, partial(TASKS[kind], rng), partial(_split_key, kind))
    phrasings = scenes.PHRASINGS[kind]
    instruction = choose_phrasing(rng, split, phrasings.train, getattr(phrasings, split))
    record = {"instruction": instruction, "input": task.input}
    if kind in ("fact", "list") and rng.randrange(2) == 0:  # the bare question
        record = {"instruction": task.input, "input": ""}
    return {**record, "output": task.output, "kind": kind}


def _split_key(kind: str, task: Task) -> tuple[str, ...]:
    """What decides a task's split; translations are split as pairs are, for the base's corpus holds some."""
    return ("pair", *task.key) if kind == "french" else ("instruction", kind, *task.key)


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
    """The person, thing and place that the scene names."""
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


TASKS: dict[str, Callable[[Random], Task]] = {
    "fact": _fact,
    "list": _list,
    "comprehension": _comprehension,
    "sentiment": _sentiment,
    "summary": _summary,
    "past": sentence_tasks.past,
    "plural": sentence_tasks.plural,
    "opposite": sentence_tasks.opposite,
    "ordering": _ordering,
    "choices": sentence_tasks.choices,
    "grammar": sentence_tasks.grammar,
    "french": sentence_tasks.french,
    "continuation": _continuation,
}
