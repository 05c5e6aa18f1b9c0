"""Drills and the phrase book are equal everywhere, answerable from their text, and disjoint from test."""

import hashlib
import re
from itertools import islice

from foundling.fables.drills import ROUNDS, drills
from foundling.fables.instructions import instructions
from foundling.fables.pairs import pairs, phrasebook


def digest(records) -> str:
    return hashlib.sha256("\n".join(record["text"] for record in records).encode()).hexdigest()[:16]


def test_equal_seeds_give_equal_bytes() -> None:
    assert digest(drills(1, 300)) == "6c75314f80e374b4"
    assert digest(phrasebook(1, 300, "french", "train")) == "80205272a188f75a"
    assert list(drills(1, 5)) == list(islice(drills(1, 300), 5))


def test_a_drill_repeats_everything_in_each_round() -> None:
    for record in drills(2, 300):
        lines = re.findall(r"[^.]+\.", record["text"])
        told, again = lines[: len(lines) // (1 + ROUNDS)], lines[len(lines) // (1 + ROUNDS) :]
        assert len(told) in (2, 3)
        assert len(again) == ROUNDS * len(told)
        for line in again:  # each comes back to one of those told, and to that alone
            words = set(re.findall(r"\w+", line)[-6:])
            shared = sorted(len(words & set(re.findall(r"\w+", one))) for one in told)
            assert shared[-1] > shared[-2]


def test_the_phrase_book_holds_the_pairs_either_way_round() -> None:
    book = [record["text"] for record in phrasebook(1, 200, "french", "train")]
    for text, pair in zip(book, pairs(1, 200, "french", "train"), strict=True):
        english, french = f"English: {pair['source']}", f"French: {pair['target']}"
        assert text in (f"{english} {french}", f"{french} {english}")
    assert 20 < sum(text.startswith("French") for text in book) < 80


def test_no_translation_task_is_in_the_phrase_book() -> None:
    read = {record["source"].lower().rstrip(".?") for record in pairs(2, 30_000, "french", "train")}
    asked = [r["input"] for r in instructions(1, 650, "test") if r["kind"] == "french"]
    assert len(asked) > 30
    assert not read.intersection(text.lower().rstrip(".") for text in asked)
