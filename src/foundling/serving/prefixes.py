"""States of earlier prompts: a prompt that begins like one of them is computed from there."""

from bisect import bisect_right, insort
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from foundling.model.kv_cache import KVCache

Ids = tuple[int, ...]


@dataclass(frozen=True)
class Prefix:
    """The ids that a cache of one row holds, and the last one's hidden state (1, C) if it was kept."""

    ids: Ids
    cache: KVCache
    hidden: Tensor | None = None


class Prefixes:
    """The prefixes that were used last, of at most `capacity` tokens together."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.tokens = 0
        self._prefixes: OrderedDict[Ids, Prefix] = OrderedDict()  # the least recently used first
        self._sorted: list[Ids] = []  # two neighbours share more than either shares with the others

    def fits(self, count: int) -> bool:
        """Whether a prefix of this many tokens can be kept."""
        return 0 < count <= self.capacity

    def put(self, prefix: Prefix) -> None:
        """Keep a prefix that fits, in place of those that were not used for longest."""
        assert self.fits(len(prefix.ids))
        if prefix.ids in self._prefixes:
            self._prefixes.move_to_end(prefix.ids)
            if prefix.hidden is not None:
                self._prefixes[prefix.ids] = prefix
            return
        self._prefixes[prefix.ids] = prefix
        insort(self._sorted, prefix.ids)
        self.tokens += len(prefix.ids)
        while self.tokens > self.capacity:
            ids, _ = self._prefixes.popitem(last=False)
            del self._sorted[bisect_right(self._sorted, ids) - 1]
            self.tokens -= len(ids)

    def longest(self, ids: Ids) -> Prefix | None:
        """The longest prefix that `ids` begin with; all of them only if their last hidden state was kept."""
        before = ids
        while at := bisect_right(self._sorted, before):
            found = self._sorted[at - 1]
            shared = _shared(found, ids)
            if shared == 0:
                break
            if shared == len(found) and (shared < len(ids) or self._prefixes[found].hidden is not None):
                self._prefixes.move_to_end(found)
                return self._prefixes[found]
            # what `ids` begin with is the part that `found` shares, or shorter
            before = ids[: min(shared, len(ids) - 1)]
        return None

    def shared(self, ids: Ids) -> int:
        """How many of `ids` are the beginning of some prefix, too."""
        at = bisect_right(self._sorted, ids)
        return max((_shared(other, ids) for other in self._sorted[max(0, at - 1) : at + 1]), default=0)


def _shared(a: Sequence[int], b: Sequence[int]) -> int:
    """How many ids two sequences have in common at their beginning."""
    for i, (x, y) in enumerate(zip(a, b, strict=False)):
        if x != y:
            return i
    return min(len(a), len(b))
