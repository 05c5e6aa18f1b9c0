"""The scenes of the instructions: short texts and questions about them; the table lists their slots."""

from typing import NamedTuple

from foundling.fables.tables import document, pattern_groups, patterns


class Comprehension(NamedTuple):
    """A text, and questions about it with their answers."""

    text: str
    questions: list[tuple[str, str]]


class Story(NamedTuple):
    """A text, its summary or ending, a phrase that only it has, and words of which an answer needs one."""

    text: str
    output: str
    cue: str
    deeds: tuple[str, ...]


class Phrasings(NamedTuple):
    """How a kind of task is phrased in training, only in validation, and only in the test."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


def _comprehension(node: dict[str, list[list[str]]]) -> list[tuple[str, str]]:
    return [(question, answer) for question, answer in node["questions"]]


def _stories(name: str) -> list[Story]:
    return [Story(node["text"], node["output"], node["cue"], tuple(node["deeds"])) for node in _TABLE[name]]


_TABLE = document("instructions")
COMPREHENSION = [Comprehension(node["text"], _comprehension(node)) for node in _TABLE["comprehension"]]
SENTIMENT = {label: patterns(block) for label, block in _TABLE["sentiment"].items()}
SUMMARIES, CONTINUATIONS = _stories("summaries"), _stories("continuations")
SEQUENCES = [patterns(steps) for steps in _TABLE["sequences"]]
PHRASINGS = {kind: Phrasings(**pattern_groups(node)) for kind, node in _TABLE["phrasings"].items()}
