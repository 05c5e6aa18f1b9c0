"""Packing: examples of different lengths share rows of at most `room` tokens, which reduces padding."""

from bisect import bisect_left, insort
from dataclasses import dataclass

import numpy as np

WINDOW = 512  # examples packed at a time, so that groups are mixed and the time is linear


@dataclass
class Group:
    """Examples that share a row, and the tokens that still fit into it."""

    left: int
    examples: list[int]


def pack(sizes: np.ndarray, room: int, seed: int, window: int = WINDOW) -> list[list[int]]:
    """Group examples (by index) of these sizes, at most `room` tokens a group.

    They are shuffled by the seed and packed `window` at a time.
    """
    order = np.random.Generator(np.random.Philox(key=seed)).permutation(len(sizes))
    groups: list[list[int]] = []
    for start in range(0, len(order), window):
        groups += _pack_window(sizes, order[start : start + window], room)
    return groups


def _pack_window(sizes: np.ndarray, examples: np.ndarray, room: int) -> list[list[int]]:
    """Best fit, longest first: add each example to the fullest group with room for it, or to a new one."""
    groups: list[Group] = []  # the fullest first
    for example in sorted(examples.tolist(), key=lambda example: -sizes[example]):
        size = int(sizes[example])
        position = bisect_left(groups, size, key=lambda group: group.left)
        group = groups.pop(position) if position < len(groups) else Group(room, [])
        group.left -= size
        group.examples.append(example)
        insort(groups, group, key=lambda group: group.left)
    return [group.examples for group in groups]
