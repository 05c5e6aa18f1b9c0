"""The benchmark: tales cut off in front of a word that follows from them, with four words to choose from.

`continuations(seed, count, split)` cuts the tale itself, `questions(…)` asks after it. Records hold query, choices,
gold (the index of the right one), kind, first and last (the choices that the query names first and last, or None) and
control: the query without the tale. Kinds:

    facts      what training says about an animal; the tale does not tell
    mention    the tale names one of the choices: the right one
    binding    the tale names two or three of the choices, each of somebody or something else
    cause      what comes of a plight
    sentiment  how somebody feels about what happened
"""

import re
from collections.abc import Iterator
from random import Random
from typing import Any

from foundling.fables.facts import FACTS
from foundling.fables.phrasing import check_split
from foundling.fables.plots import KINDS, MOODS, NEEDS
from foundling.fables.tales import MARK, plain, told
from foundling.fables.world import ANIMALS, FEELINGS, NAMES, PLACES, THINGS

# mark -> groups of words that can stand in the same place
GROUPS: dict[str, list[list[str]]] = {
    "where": list(PLACES.values()),
    "who": [list(NAMES), list(ANIMALS)],
    "what": [THINGS],
    "how": [FEELINGS],
    "need": [list(NEEDS)],
    "mood": [list(MOODS)],
    "home": [
        sorted({facts["home"].split()[-1] for facts in FACTS.values() if facts["home"].startswith(relation)})
        for relation in ("in", "on", "by")
    ],
    **{name: [sorted({facts[name] for facts in FACTS.values()})] for name in ("food", "colour", "sound", "character")},
}
TOLD = {"where", "who", "what", "how"}  # words that the tale itself names
KIND_OF = {"need": "cause", "mood": "sentiment"}
WORD = re.compile(r"\w+")


def continuations(seed: int, count: int, split: str) -> Iterator[dict[str, Any]]:
    """Yield `count` records, as many of each kind; none of their combinations stands in another split."""
    return _records(f"continuations {seed} {split}", count, split, asked=False)


def questions(seed: int, count: int, split: str) -> Iterator[dict[str, Any]]:
    """The same as questions after the whole tale, with the beginning of their answers."""
    return _records(f"questions {seed} {split}", count, split, asked=True)


def _records(seed: str, count: int, split: str, asked: bool) -> Iterator[dict[str, Any]]:
    check_split(split)
    rng = Random(seed)
    kinds = list(KINDS)
    for number in range(count):
        kind = kinds[number % len(kinds)]
        turn = number // len(kinds)
        record = None
        while record is None:
            record = _record(rng, kind, split, asked, turn)
        yield record


def _record(rng: Random, kind: str, split: str, asked: bool, turn: int) -> dict[str, Any] | None:
    """A record of this kind, or None if what was drawn gives none; `turn` says which candidate is to be the answer."""
    tale = told(rng, rng.choice(KINDS[kind]), split)
    if asked and tale.questions:
        last = rng.choice(tale.questions)
        before = _unanswered(tale.sentences, last)
    else:
        at = rng.randrange(len(tale.sentences))
        before, last = tale.sentences[:at], tale.sentences[at]
    marks = list(MARK.finditer(last))
    if not marks:
        return None
    mark = rng.choice(marks)
    category, gold = mark[1], mark[2]
    control = plain(last[: mark.start()])
    query = plain(" ".join([*before, control])).strip()
    group = next(group for group in GROUPS[category] if gold in group)
    words = WORD.findall(query)
    named = [word for word in dict.fromkeys(words) if word in group]
    if category in TOLD:
        found = "mention" if named == [gold] else "binding" if gold in named and len(named) in (2, 3) else None
        if found == "binding" and named.index(gold) != turn % len(named):
            return None
    else:
        found = KIND_OF.get(category, "facts")
        if gold in named:
            return None
    if found != kind:
        return None
    if named and category not in TOLD:
        return None
    absent = [word for word in group if word not in named]
    if category in TOLD:
        choices = named + rng.sample(absent, 4 - len(named))
    else:
        choices = [gold, *rng.sample([word for word in absent if word != gold], 3)]
    rng.shuffle(choices)
    places = {word: at for at, word in enumerate(words)}
    spoken = [word for word in choices if word in places]
    return {
        "query": query,
        "choices": choices,
        "gold": choices.index(gold),
        "kind": kind,
        "first": choices.index(min(spoken, key=words.index)) if spoken else None,
        "last": choices.index(max(spoken, key=places.__getitem__)) if spoken else None,
        "control": control.strip() if kind != "facts" else query,
    }


def _unanswered(sentences: list[str], question: str) -> list[str]:
    """The tale up to where it says itself what the question asks for, if it is not to be read but to be inferred."""
    inferred = [mark[0] for mark in MARK.finditer(question) if mark[1] not in TOLD]
    until = [at for at, sentence in enumerate(sentences) if any(mark in sentence for mark in inferred)]
    return sentences[: min(until, default=len(sentences))]
