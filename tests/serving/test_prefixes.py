"""The longest known prefix of a prompt is found, and those that were not used for longest go first."""

from random import Random

import torch

from foundling.model.kv_cache import KVCache
from foundling.serving.prefixes import Prefix, Prefixes


def prefix(*ids: int, with_hidden: bool = True) -> Prefix:
    return Prefix(ids, KVCache(0), torch.zeros(1, 1) if with_hidden else None)


def test_the_longest_prefix_is_found_among_many() -> None:
    rng = Random(0)
    kept = {tuple(rng.randrange(3) for _ in range(rng.randint(1, 8))) for _ in range(80)}
    prefixes = Prefixes(10_000)
    for ids in kept:
        prefixes.put(prefix(*ids))
    found_lengths = set()
    for _ in range(300):
        ids = tuple(rng.randrange(3) for _ in range(rng.randint(1, 10)))
        expected = max((len(one) for one in kept if ids[: len(one)] == one), default=0)
        found = prefixes.longest(ids)
        assert (0 if found is None else len(found.ids)) == expected
        common = (sum(ids[: n + 1] == one[: n + 1] for n in range(min(len(one), len(ids)))) for one in kept)
        assert prefixes.shared(ids) == max(common)
        found_lengths.add(expected)
    assert len(found_lengths) > 5


def test_all_of_a_prompt_is_known_only_with_its_last_hidden_state() -> None:
    prefixes = Prefixes(100)
    prefixes.put(prefix(1, 2))
    prefixes.put(prefix(1, 2, 3, 4, with_hidden=False))
    for ids, length in (((1, 2, 3, 4), 2), ((1, 2, 3, 4, 5), 4), ((1, 2), 2)):
        found = prefixes.longest(ids)
        assert found is not None
        assert len(found.ids) == length


def test_the_capacity_counts_tokens_and_what_is_used_stays() -> None:
    prefixes = Prefixes(6)
    assert not prefixes.fits(7)
    for ids in ((1, 1, 1), (2, 2, 2)):
        prefixes.put(prefix(*ids))
    assert prefixes.longest((1, 1, 1, 9)) is not None
    prefixes.put(prefix(3, 3))
    assert prefixes.longest((2, 2, 2, 9)) is None
    assert prefixes.longest((1, 1, 1, 9)) is not None
    assert prefixes.tokens == 5
