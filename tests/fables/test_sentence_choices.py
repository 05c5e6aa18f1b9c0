"""Sentences to choose from: the right one follows from the query, and nothing else tells it."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable
from itertools import islice
from typing import Any

import pytest

from foundling.fables.pairs import pairs
from foundling.fables.sentence_choices import KINDS, sentence_choices
from foundling.fables.stories import stories

Records = list[dict[str, Any]]


@pytest.fixture(scope="module")
def records() -> Records:
    return list(sentence_choices(1, 1200, "test"))


def of_kind(records: Records, kind: str) -> Records:
    return [record for record in records if record["kind"] == kind]


def test_equal_seeds_give_equal_bytes() -> None:
    made = json.dumps(list(sentence_choices(1, 100, "test")))
    assert hashlib.sha256(made.encode()).hexdigest()[:16] == "c079496a3949c0b9"


def test_the_kinds_alternate_and_have_four_different_choices(records: Records) -> None:
    assert [record["kind"] for record in records[:4]] == [*KINDS, *KINDS]
    for record in records:
        assert len(set(record["choices"])) == 4
        assert record["query"].endswith(record["control"])
        assert not set("<>{}[]|~") & set("".join([record["query"], *record["choices"]]))


def test_the_right_translation_is_that_of_the_pairs(records: Records) -> None:
    known = {pair["source"]: pair["target"] for pair in pairs(1, 40_000, "french", "test")}
    checked = 0
    for record in of_kind(records, "translation"):
        source = record["query"].removeprefix("English: ").removesuffix(" French:")
        if source in known:
            assert record["choices"].index(known[source]) == record["gold"]
            checked += 1
    assert checked > 30


def test_the_right_summary_says_who_acted_in_the_story(records: Records) -> None:
    checked = 0
    for record in of_kind(records, "summary"):
        gold = record["choices"][record["gold"]].removeprefix("the ")
        told = re.search(r"who had (?:lied|helped|taken the \w+) was (?:the )?(\w+)", record["query"])
        if told:
            assert gold.startswith(told[1] + " ")
            checked += 1
    assert checked > 100


@pytest.mark.parametrize("kind", KINDS)
def test_choosing_without_the_query_stays_at_chance(records: Records, kind: str) -> None:
    some = of_kind(records, kind)
    words = Counter(word for text in islice(stories(1, 1.0), 3000) for word in text["text"].split())

    def accuracy(value: Callable[[dict[str, Any], str], float]) -> float:
        """How often the choice with the largest value is right."""
        right = 0
        for record in some:
            values = [value(record, choice) for choice in record["choices"]]
            right += values.index(max(values)) == record["gold"]
        return right / len(some)

    rules: dict[str, Callable[[dict[str, Any], str], float]] = {
        "longest": lambda record, choice: len(choice),
        "shortest": lambda record, choice: -len(choice),
        "most frequent words": lambda record, choice: sum(words[word] for word in choice.split()),
        "most words of the others": lambda record, choice: sum(
            word in other.split() for other in record["choices"] for word in choice.split()
        ),
    }
    for name, rule in rules.items():
        assert accuracy(rule) == pytest.approx(0.25, abs=0.06), name
    assert max(Counter(record["gold"] for record in some).values()) < 0.32 * len(some)


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(ValueError, match="choose one of train"):
        next(sentence_choices(1, 1, "dev"))
