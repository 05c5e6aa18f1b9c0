"""Patterns: optional and alternative parts, slots that keep their value, and splits by content."""

from collections import Counter
from random import Random

import pytest

from foundling.fables.phrasing import check_split, say, split_of

SLOTS = {"name": ["Mia", "Tom", "Ben"], "place": ["the (old|new) mill", "the lake"]}


def draws(pattern):
    return {say(pattern, Random(seed), SLOTS) for seed in range(200)}


def test_alternatives_and_optional_parts_nest():
    assert draws("a[ b(c|d)]") == {"a", "a bc", "a bd"}
    assert draws("in {place}") == {"in the old mill", "in the new mill", "in the lake"}


def test_a_slot_keeps_its_value_and_numbered_slots_differ():
    for text in draws("{name} {name2} {name}"):
        first, second, third = text.split()
        assert first == third != second


def test_settled_values_are_used_and_new_ones_are_handed_back():
    bound = {"name": "Mia"}
    assert say("{name} at {place}", Random(1), SLOTS, bound).startswith("Mia at the ")
    assert set(bound) == {"name", "place"}


def test_splits_take_eight_one_and_one_tenth():
    shares = Counter(split_of("lion", str(number)) for number in range(5000))
    assert abs(shares["train"] / 5000 - 0.8) < 0.03
    assert abs(shares["test"] / 5000 - 0.1) < 0.02


def test_unknown_splits_are_refused():
    with pytest.raises(ValueError, match="'dev'"):
        check_split("dev")
