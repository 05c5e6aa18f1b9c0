"""Turns of a conversation that are not tasks: greetings, questions about the assistant, what it cannot know.

`conversation(rng, split, earlier)` draws one. What the user asks about decides its split (a country, a
person, …), or else the words themselves; a clarification asks about an answer, which `earlier` draws from
the same split. In validation and test a third have phrasings that do not occur in training.
"""

import re
from collections.abc import Callable, Mapping
from functools import partial
from random import Random
from typing import Any, NamedTuple

from foundling.fables.english import capitalized
from foundling.fables.facts import FACTS
from foundling.fables.lexicon import NAMES
from foundling.fables.phrasing import choose_phrasing, draw_in_split, say
from foundling.fables.tables import document, pattern_groups, patterns

CLARIFICATION = "clarification"
ALONE = 8  # one clarification in eight asks before anything was said
CLARIFIED = ("fact", "fact", "fact", "comprehension", "comprehension", "list", "sentiment", "unknown")
Record = dict[str, Any]


class Topic(NamedTuple):
    """What a user says, in training only, in all splits and in validation and test only; and the answer."""

    core: tuple[str, ...]
    train: tuple[str, ...]
    unseen: tuple[str, ...]
    answer: str
    needs: tuple[str, ...]
    weight: float


class Said(NamedTuple):
    """A text and what decides its split."""

    key: tuple[str, ...]
    text: str


def _topic(node: Mapping[str, Any]) -> Topic:
    return Topic(
        core=patterns(node["core"]),
        train=patterns(node["train"]),
        unseen=patterns(node["unseen"]),
        answer=node["answer"],
        needs=tuple(node.get("needs", ())),
        weight=node["weight"],
    )


_TABLE = document("conversation")
FRAMES = ("hello", "maybe", "kindly", "friend", "day", "number")  # slots that a question is not about
SLOTS = pattern_groups(_TABLE["slots"]) | {"person": tuple(NAMES), "animal": tuple(FACTS)}
TOPICS = {name: _topic(node) for name, node in _TABLE["topics"].items()}
TOPICS[CLARIFICATION] = _topic(_TABLE[CLARIFICATION])


def conversation(rng: Random, split: str, earlier: Callable[[str], Record]) -> Record:
    """Draw {"kind", "history", "instruction", "input", "output"}; `earlier` draws a task's record by kind."""
    (name,) = rng.choices(list(TOPICS), [topic.weight for topic in TOPICS.values()])
    if name == CLARIFICATION and rng.randrange(ALONE):
        return _clarification(rng, split, earlier)
    return _record(name, _said(rng, split, TOPICS[name]), TOPICS[name].answer)


def _record(name: str, text: str, answer: str, history: list[list[str]] | None = None) -> Record:
    turn = {"instruction": text, "input": "", "output": answer}
    return {"history": history or [], **turn, "kind": f"conversation/{name}"}


def _said(rng: Random, split: str, topic: Topic) -> str:
    """A user's text of a split."""
    if split == "train" and (way := rng.choice(topic.core + topic.train)) in topic.core:
        return _typed(rng, say(way, rng, SLOTS))
    return _typed(rng, draw_in_split(split, partial(_draw, rng, split, topic), lambda said: said.key).text)


def _draw(rng: Random, split: str, topic: Topic) -> Said:
    bound: dict[str, str] = {}
    text = say(choose_phrasing(rng, split, topic.train, topic.unseen), rng, SLOTS, bound)
    about = [value for slot, value in sorted(bound.items()) if slot.rstrip("2") not in FRAMES]
    return Said(("conversation", *(about or [plain(text)])), text)


def plain(text: str) -> str:
    """Lower case without marks: what is equal in texts that are typed differently."""
    return re.sub(r"[^\w ]", "", text.lower())


def _typed(rng: Random, text: str) -> str:
    """Give the text its capital or, in three cases of eight, leave out capitals, the last mark or both."""
    style = rng.randrange(8)
    if style in (1, 2):
        text = text.rstrip(".?!")
    return text.lower() if style in (0, 1) else capitalized(text)


def _clarification(rng: Random, split: str, earlier: Callable[[str], Record]) -> Record:
    """The user does not understand the previous answer."""
    kind = rng.choice(CLARIFIED)
    if kind == "unknown":
        asked, answer = _said(rng, split, TOPICS[kind]), TOPICS[kind].answer
    else:
        record = earlier(kind)
        asked, answer = "\n".join(filter(None, (record["instruction"], record["input"]))), record["output"]
    topic = TOPICS[CLARIFICATION]
    text = say(choose_phrasing(rng, split, topic.core + topic.train, topic.unseen), rng, SLOTS)
    return _record(CLARIFICATION, _typed(rng, text), f"I mean {_again(kind, answer)}", [[asked, answer]])


def _again(kind: str, answer: str) -> str:
    """What an answer says, after "I mean": "that the fox lives in the forest."."""
    if kind == "sentiment":
        return f"that the text is {answer.lower()}"
    sentence = answer.split(". ")[-1]
    first = sentence.split()[0].removesuffix("'s")
    said = sentence if first in NAMES or first == "I" else sentence[0].lower() + sentence[1:]
    return said if kind == "list" else f"that {said}"
