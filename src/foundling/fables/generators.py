"""The generators by the names that `generate: {name, …}` in a config uses."""

from collections.abc import Callable, Iterator
from typing import Any

from foundling.fables.airline import airline
from foundling.fables.benchmark import continuations, questions
from foundling.fables.drills import drills
from foundling.fables.instructions import instructions
from foundling.fables.legal import legal
from foundling.fables.messages import messages
from foundling.fables.pairs import pairs, phrasebook
from foundling.fables.sentence_choices import sentence_choices
from foundling.fables.stories import stories

GENERATORS: dict[str, Callable[..., Iterator[dict[str, Any]]]] = {
    "stories": stories,
    "drills": drills,
    "continuations": continuations,
    "questions": questions,
    "sentence_choices": sentence_choices,
    "messages": messages,
    "instructions": instructions,
    "pairs": pairs,
    "phrasebook": phrasebook,
    "airline": airline,
    "legal": legal,
}
