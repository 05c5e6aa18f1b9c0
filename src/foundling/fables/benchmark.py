"""The benchmark: tales that are cut before a word that follows from the text, with four words to choose from.

`continuations(seed, count, split)` cuts the tale itself, `questions(…)` asks about it. Records have query,
choices, gold (the index of the right choice), kind, first and last (the choices that the query names first
and last, or None) and control: the query without the tale. Kinds:

    facts      facts about an animal from the training texts; the tale does not mention them
    mention    the tale names one of the choices: the right one
    binding/…  the tale names two or three of the choices, each of another being: where, who, feeling or thing
    cause      what follows from a need, or what helps
    sentiment  how a being feels about what happened

To prevent guessing without reading, the choices, the order of the candidates and the right choice are
balanced.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import cycle
from random import Random
from typing import Any, NamedTuple

from foundling.fables.facts import FACTS
from foundling.fables.lexicon import ANIMALS, DISHES, FEELINGS, NAMES, PLACES, THINGS
from foundling.fables.phrasing import check_split
from foundling.fables.plots.deeds import contest, quarrel, rescue, trick
from foundling.fables.plots.keeping import exchange, feast, lost_and_found, whereabouts
from foundling.fables.plots.portraits import portrait, quiz
from foundling.fables.plots.troubles import AIDS, CAUSES, EVENTS, TROUBLES, feelings, moods, needs, tools
from foundling.fables.tales import MARK, Tale, plain, tale

Record = dict[str, Any]


def _homes(relation: str) -> list[str]:
    """The homes of the animals that live in, on or by them."""
    homes = (facts["home"] for facts in FACTS.values())
    return sorted({home.split()[-1] for home in homes if home.startswith(relation)})


def _values(attribute: str) -> list[str]:
    return sorted({facts[attribute] for facts in FACTS.values()})


# mark -> groups of words that can be in the same place
GROUPS: Mapping[str, list[list[str]]] = {
    "where": list(PLACES.values()),
    "who": [list(NAMES), list(ANIMALS)],
    "what": [THINGS],
    "dish": [DISHES],
    "how": [FEELINGS],
    "need": [list(CAUSES)],
    "aid": [list(AIDS.values())],
    "tool": [list(TROUBLES)],
    "mood": [list(EVENTS)],
    "home": [_homes(relation) for relation in ("in", "on", "by")],
    **{attribute: [_values(attribute)] for attribute in ("food", "colour", "sound", "character")},
}
# kinds of words that the tale names, and that a reader has to infer
TOLD = {"where": "where", "who": "who", "how": "feeling", "what": "thing", "dish": "thing"}
INFERRED = {"need": "cause", "aid": "cause", "tool": "cause", "mood": "sentiment"}
KINDS = tuple(
    kind
    for binding in ("where", "who", "feeling", "thing")
    for kind in ("facts", "mention", f"binding/{binding}", "cause", "sentiment")
)
# how many animals share a fact, so that each value is right equally often, however common it is
SHARED = Counter((name, value.split()[-1]) for facts in FACTS.values() for name, value in facts.items())
# the plots that have questions of a kind
TELLING = {
    "facts": (portrait, quiz),
    "mention": (lost_and_found, whereabouts, feast, feelings, rescue, quarrel),
    "binding": (lost_and_found, whereabouts, feast, feelings, exchange, contest, trick, rescue, quarrel),
    "cause": (needs, tools),
    "sentiment": (moods,),
}
WORD = re.compile(r"\w+")


class Gap(NamedTuple):
    """Where a tale can be cut: the lines before, the start of its line, the mark and the marked word."""

    before: list[str]
    start: str
    mark: str
    word: str


def continuations(seed: int, count: int, split: str) -> Iterator[Record]:
    """Yield `count` records, equally many of each kind; none of their combinations is in another split."""
    return _records(f"continuations {seed} {split}", count, split, in_question=False)


def questions(seed: int, count: int, split: str) -> Iterator[Record]:
    """Yield records as above, with questions after the tale and the beginning of their answers."""
    return _records(f"questions {seed} {split}", count, split, in_question=True)


def _records(seed: str, count: int, split: str, in_question: bool) -> Iterator[Record]:
    check_split(split)
    rng = Random(seed)
    turns = dict.fromkeys(KINDS, 0)
    for kind, _ in zip(cycle(KINDS), range(count), strict=False):
        record = None
        while record is None:
            drawn = tale(rng, split, TELLING[kind.split("/")[0]])
            gaps = _question_gaps(drawn) if in_question else _line_gaps(drawn)
            rng.shuffle(gaps)
            attempts = (_record(rng, kind, gap, turns[kind]) for gap in gaps)
            record = next((attempt for attempt in attempts if attempt), None)
        turns[kind] += 1
        yield record


def _line_gaps(drawn: Tale) -> list[Gap]:
    """Each marked word of the tale."""
    return [
        Gap(drawn.lines[:at], line[: mark.start()], mark[1], mark[2])
        for at, line in enumerate(drawn.lines)
        for mark in MARK.finditer(line)
    ]


def _question_gaps(drawn: Tale) -> list[Gap]:
    """Each marked word of the questions; those to be inferred are asked about before the tale states them."""
    gaps = []
    for question in drawn.questions:
        for mark in MARK.finditer(question):
            end = None
            if mark[1] not in TOLD:
                end = next((at for at, line in enumerate(drawn.lines) if mark[0] in line), None)
            gaps.append(Gap(drawn.lines[:end], question[: mark.start()], mark[1], mark[2]))
    return gaps


def _record(rng: Random, kind: str, gap: Gap, turn: int) -> Record | None:
    """A record of this kind, or None if the gap does not allow one; `turn` balances which answer is right."""
    control = plain(gap.start).strip()
    query = plain(" ".join([*gap.before, gap.start])).strip()
    group = _group(gap.mark, gap.word)
    words = WORD.findall(query)
    named = [word for word in dict.fromkeys(words) if word in group]
    if _kind(gap, named) != kind:
        return None
    if kind != "facts" and not set(group).isdisjoint(WORD.findall(control)):
        return None
    last = {word: at for at, word in enumerate(words)}
    if not _is_balanced(rng, kind, gap, turn, group, named, last):
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
    """The ability that predicting the word requires, given the words of its group that the tale has named."""
    if gap.mark not in TOLD:
        return None if named else INFERRED.get(gap.mark, "facts")
    if gap.word not in named or len(named) > 3:
        return None
    return "mention" if len(named) == 1 else f"binding/{TOLD[gap.mark]}"


def _is_balanced(
    rng: Random, kind: str, gap: Gap, turn: int, group: list[str], named: list[str], last: Mapping[str, int]
) -> bool:
    """Whether using this gap keeps order of mention and frequency uninformative.

    The right choice alternates between named first, named last and neither; moods alternate; a fact that n
    animals share is used once in n times.
    """
    if kind.startswith("binding"):
        is_first = named[0] == gap.word
        is_last = max(named, key=last.__getitem__) == gap.word
        return (is_first, is_last) == ((True, False), (False, True), (False, False))[turn % 3]
    if kind == "sentiment":
        return group.index(gap.word) == turn % len(group)
    if kind == "facts":
        return rng.randrange(SHARED[gap.mark, gap.word]) == 0
    return True


@cache
def _group(mark: str, word: str) -> list[str]:
    return next(group for group in GROUPS[mark] if word in group)
