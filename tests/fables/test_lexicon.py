"""The lexicon's groups are disjoint, and its pairs agree with the tables."""

from itertools import combinations

from foundling.fables.facts import FACTS
from foundling.fables.lexicon import GROUPS, RELATIONS


def test_groups_hold_words_and_share_none() -> None:
    assert all(word.islower() or word.istitle() for words in GROUPS.values() for word in words)
    for one, other in combinations(GROUPS, 2):
        assert not set(GROUPS[one]) & set(GROUPS[other]), (one, other)


def test_pairs_are_single_words_that_the_world_relates() -> None:
    for pair in (pair for pairs in RELATIONS.values() for pair in pairs):
        assert len(pair) == 2
        assert all(word.replace("-", "").isalpha() for word in pair), pair
    for name in ("home", "food", "colour", "sound", "character"):
        pairs = dict(RELATIONS[f"animal : {name}"])
        assert set(pairs) == set(FACTS)
        assert all(FACTS[animal][name].endswith(value) for animal, value in pairs.items())
    assert ("go", "went") in RELATIONS["present : past"]
    assert ("mouse", "mice") in RELATIONS["singular : plural"]
    assert {("big", "small"), ("small", "big")} <= set(RELATIONS["opposites"])
