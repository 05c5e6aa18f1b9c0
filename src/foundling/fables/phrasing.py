"""Sample sentences from patterns: ordinary text with `[maybe]`, `(one|or other)` and `{slot}`.

    say("{hi}the (key|lamp) is [still ]in the {place}", rng, {"hi": ["", "Ben, "], "place": ["well", "mill"]})

A slot's values are patterns themselves. Within a sentence a slot keeps its first value, so `{name}` is the
same person throughout; `{name2}` has the same possible values as `name`, but never the value of `{name}`.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from random import Random
from typing import TypeVar
from zlib import crc32

SPLITS = ("train", "validation", "test")
UNSEEN = 3  # outside training, one text in three has a phrasing that does not occur in training
T = TypeVar("T")
Slots = Mapping[str, Sequence[str]]
Node = str | tuple[str, tuple["Node", ...]]  # a text, or ("all" | "any" | "slot", parts)


def split_of(*key: str) -> str:
    """Return the split of a combination, by a hash of it: 80 % train, 10 % validation, 10 % test."""
    decile = crc32("\x1f".join(key).encode()) % 10
    return {0: "test", 1: "validation"}.get(decile, "train")


def draw_in_split(split: str, draw: Callable[[], T], key: Callable[[T], Sequence[str]]) -> T:
    """Sample until the key of the result belongs to the split."""
    drawn = draw()
    while split_of(*key(drawn)) != split:
        drawn = draw()
    return drawn


def choose_phrasing(rng: Random, split: str, train: Sequence[str], unseen: Sequence[str]) -> str:
    """A phrasing of training or, outside of it in one of UNSEEN cases, one that does not occur in it."""
    return rng.choice(unseen if split != "train" and unseen and rng.randrange(UNSEEN) == 0 else train)


def check_split(split: str) -> None:
    """Raise ValueError unless `split` is one of SPLITS."""
    if split not in SPLITS:
        raise ValueError(f"unknown split={split!r}; choose one of {', '.join(SPLITS)}")


def say(pattern: str, rng: Random, slots: Slots, bound: dict[str, str] | None = None) -> str:
    """Sample a sentence from a pattern; `bound` has the values of slots, and new ones are added to it."""
    return _draw(_parse(pattern), rng, slots, {} if bound is None else bound)


def _draw(node: Node, rng: Random, slots: Slots, bound: dict[str, str]) -> str:
    if isinstance(node, str):
        return node
    kind, parts = node
    if kind == "all":
        return "".join([_draw(part, rng, slots, bound) for part in parts])
    if kind == "any":
        return _draw(parts[rng.randrange(len(parts))], rng, slots, bound)
    name = parts[0]
    assert isinstance(name, str)
    if name not in bound:
        stem = name.rstrip("0123456789")
        taken = {bound[other] for other in bound if other.rstrip("0123456789") == stem}
        value = _draw(_parse(rng.choice(slots[stem])), rng, slots, bound)
        while value in taken:
            value = _draw(_parse(rng.choice(slots[stem])), rng, slots, bound)
        bound[name] = value
    return bound[name]


@cache
def _parse(pattern: str) -> Node:
    node, end = _alternatives(pattern, 0, "")
    assert end == len(pattern), f"unbalanced pattern: {pattern}"
    return node


def _alternatives(pattern: str, at: int, closing: str) -> tuple[Node, int]:
    """Parse up to `closing`; return the tree and the position after it."""
    branches: list[list[Node]] = [[]]
    while at < len(pattern) and (not closing or pattern[at] != closing):
        mark = pattern[at]
        if mark == "(":
            inner, at = _alternatives(pattern, at + 1, ")")
            branches[-1].append(inner)
        elif mark == "[":
            inner, at = _alternatives(pattern, at + 1, "]")
            branches[-1].append(("any", ("", inner)))
        elif mark == "{":
            end = pattern.index("}", at)
            branches[-1].append(("slot", (pattern[at + 1 : end],)))
            at = end + 1
        elif mark == "|" and closing:
            branches.append([])
            at += 1
        else:
            end = at + 1
            while end < len(pattern) and pattern[end] not in "([{|)]":
                end += 1
            branches[-1].append(pattern[at:end])
            at = end
    trees = tuple(_sequence(parts) for parts in branches)
    return (trees[0] if len(trees) == 1 else ("any", trees)), at + len(closing)


def _sequence(parts: list[Node]) -> Node:
    return parts[0] if len(parts) == 1 else ("all", tuple(parts))
