"""The benchmark: tales cut off in front of a word that follows from them, with four words to choose from.

`continuations(seed, count, split)` cuts the tale itself, `questions(…)` asks about it. Records hold query, choices,
gold (the index of the right one), kind, first and last (the choices that the query names first and last, or None) and
control: the query without the tale. Kinds:

    facts      what training says about an animal; the tale does not tell
    mention    the tale names one of the choices: the right one
    binding/…  the tale names two or three of the choices, each of somebody else: where, who, feeling or thing
    cause      what comes of a plight, or helps against it
    sentiment  how somebody feels about what happened

Whatever could be guessed without reading is drawn evenly: the choices, the order of the candidates, the right one.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import cycle
from random import Random
from typing import Any, NamedTuple

from foundling.fables.facts import FACTS
from foundling.fables.phrasing import check_split
from foundling.fables.plots.deeds import contest, quarrel, rescue, trick
from foundling.fables.plots.keeping import exchange, feast, lost_and_found, whereabouts
from foundling.fables.plots.portraits import portrait, quiz
from foundling.fables.plots.troubles import MOODS, NEEDS, TOOLS, feelings, moods, needs, tools
from foundling.fables.tales import MARK, Tale, plain, tale
from foundling.fables.world import ANIMALS, DISHES, FEELINGS, NAMES, PLACES, THINGS

# mark -> groups of words that can stand in the same place
GROUPS: Mapping[str, list[list[str]]] = {
    "where": list(PLACES.values()),
    "who": [list(NAMES), list(ANIMALS)],
    "what": [THINGS],
    "dish": [DISHES],
    "how": [FEELINGS],
    "need": [[need for need, _ in NEEDS]],
    "aid": [[aid for _, aid in NEEDS]],
    "tool": [list(TOOLS)],
    "mood": [list(MOODS)],
    "home": [
        sorted({facts["home"].split()[-1] for facts in FACTS.values() if facts["home"].startswith(relation)})
        for relation in ("in", "on", "by")
    ],
    **{name: [sorted({facts[name] for facts in FACTS.values()})] for name in ("food", "colour", "sound", "character")},
}
# what the tale itself names, and what a reader has to infer
TOLD = {"where": "where", "who": "who", "how": "feeling", "what": "thing", "dish": "thing"}
INFERRED = {"need": "cause", "aid": "cause", "tool": "cause", "mood": "sentiment"}
KINDS = (
    "facts", "mention", "binding/where", "cause", "sentiment",
    "facts", "mention", "binding/who", "cause", "sentiment",
    "facts", "mention", "binding/feeling", "cause", "sentiment",
    "facts", "mention", "binding/thing", "cause", "sentiment",
)  # fmt: skip
# how many animals share a fact: each value is to be the right one as often as the others, however common it is
SHARED = Counter((name, value.split()[-1]) for facts in FACTS.values() for name, value in facts.items())
# plots that have questions of a kind
TELLING = {
    "facts": (portrait, quiz),
    "mention": (lost_and_found, whereabouts, feast, feelings, rescue, quarrel),
    "binding": (lost_and_found, whereabouts, feast, feelings, exchange, contest, trick, rescue, quarrel),
    "cause": (needs, tools),
    "sentiment": (moods,),
}
WORD = re.compile(r"\w+")


class Gap(NamedTuple):
    """A place where a tale can break off: the lines before, the line's beginning, what kind of word follows, and it."""

    before: list[str]
    beginning: str
    mark: str
    word: str


def continuations(seed: int, count: int, split: str) -> Iterator[dict[str, Any]]:
    """Yield `count` records, as many of each kind; none of their combinations stands in another split."""
    return _records(f"continuations {seed} {split}", count, split, asked=False)


def questions(seed: int, count: int, split: str) -> Iterator[dict[str, Any]]:
    """The same as questions after the tale, with the beginning of their answers."""
    return _records(f"questions {seed} {split}", count, split, asked=True)


def _records(seed: str, count: int, split: str, asked: bool) -> Iterator[dict[str, Any]]:
    check_split(split)
    rng = Random(seed)
    turns = dict.fromkeys(KINDS, 0)
    for kind, _ in zip(cycle(KINDS), range(count), strict=False):
        record = None
        while record is None:
            told = tale(rng, split, TELLING[kind.split("/")[0]])
            gaps = _asked(told) if asked else _cut(told)
            rng.shuffle(gaps)
            found = (_record(rng, kind, gap, turns[kind]) for gap in gaps)
            record = next((one for one in found if one), None)
        turns[kind] += 1
        yield record


def _cut(told: Tale) -> list[Gap]:
    """Each marked word of the tale."""
    return [
        Gap(told.lines[:at], line[: mark.start()], mark[1], mark[2])
        for at, line in enumerate(told.lines)
        for mark in MARK.finditer(line)
    ]


def _asked(told: Tale) -> list[Gap]:
    """The answers of the questions; what is to be inferred is asked before the tale says it."""
    gaps = []
    for question in told.questions:
        for mark in MARK.finditer(question):
            said = [at for at, line in enumerate(told.lines) if mark[1] not in TOLD and mark[0] in line]
            gaps.append(Gap(told.lines[: min(said, default=None)], question[: mark.start()], mark[1], mark[2]))
    return gaps


def _record(rng: Random, kind: str, gap: Gap, turn: int) -> dict[str, Any] | None:
    """The record of this kind, or None if the gap gives none; `turn` says what the right answer has to be."""
    control = plain(gap.beginning).strip()
    query = plain(" ".join([*gap.before, gap.beginning])).strip()
    group = _group(gap.mark, gap.word)
    words = WORD.findall(query)
    named = [word for word in dict.fromkeys(words) if word in group]
    if _kind(gap, named) != kind or (kind != "facts" and set(group).intersection(WORD.findall(control))):
        return None
    last = {word: at for at, word in enumerate(words)}
    if kind.startswith("binding"):
        is_first, is_last = named[0] == gap.word, max(named, key=last.__getitem__) == gap.word
        if not _balanced(is_first, is_last, turn):
            return None
    if kind == "sentiment" and group.index(gap.word) != turn % len(group):
        return None
    if kind == "facts" and rng.randrange(SHARED[gap.mark, gap.word]):
        return None
    absent = [word for word in group if word not in named and word != gap.word]
    choices = list(dict.fromkeys([gap.word, *named]))
    choices += rng.sample(absent, 4 - len(choices))
    rng.shuffle(choices)
    spoken = [word for word in choices if word in last]
    return {
        "query": query,
        "choices": choices,
        "gold": choices.index(gap.word),
        "kind": kind,
        "first": choices.index(min(spoken, key=words.index)) if spoken else None,
        "last": choices.index(max(spoken, key=last.__getitem__)) if spoken else None,
        "control": query if kind == "facts" else control,
    }


def _kind(gap: Gap, named: list[str]) -> str | None:
    """What it takes to find the word, given the words of its group that the tale has named."""
    if gap.mark not in TOLD:
        return None if named else INFERRED.get(gap.mark, "facts")
    if gap.word not in named or len(named) > 3:
        return None
    return "mention" if len(named) == 1 else f"binding/{TOLD[gap.mark]}"


def _balanced(is_first: bool, is_last: bool, turn: int) -> bool:
    """Keep the order of mention uninformative: the right choice is named first, last, or neither, in turn."""
    return (is_first, is_last) == ((True, False), (False, True), (False, False))[turn % 3]


@cache
def _group(mark: str, word: str) -> list[str]:
    return next(group for group in GROUPS[mark] if word in group)
