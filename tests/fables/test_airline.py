"""The service desk's answers follow from the booking in the prompt, and splits share no booking."""

import re

import pytest

from foundling.fables.airline import CITIES, TOPICS, airline


@pytest.fixture(scope="module")
def splits() -> dict[str, list[dict[str, str]]]:
    return {split: list(airline(1, 2000, split)) for split in ("train", "validation", "test")}


def booking(record: dict[str, str]) -> tuple[str, ...]:
    found = re.match(r"Flight (F\d{3}) to (\w+),", record["input"])
    assert found
    assert found[2] in CITIES
    return found.groups()


def test_splits_share_no_booking_and_hold_every_topic(splits: dict[str, list[dict[str, str]]]) -> None:
    bookings = {split: {booking(record) for record in records} for split, records in splits.items()}
    assert not bookings["train"] & bookings["test"]
    assert not bookings["train"] & bookings["validation"]
    assert all({record["kind"] for record in records} == set(TOPICS) for records in splits.values())


def test_everything_in_an_answer_is_in_the_booking(splits: dict[str, list[dict[str, str]]]) -> None:
    for record in splits["test"]:
        stated = re.findall(
            r"\b(?:[A-F]?\d+[A-F]?(?::\d\d)?|[A-Z]\w+day)\b", record["output"].replace("fee of 30", "")
        )
        assert all(value in record["input"] for value in stated), record
        assert not re.search(r"[{}\[\]|]", record["output"] + record["instruction"]), record


def test_what_may_be_done_follows_from_the_fare(splits: dict[str, list[dict[str, str]]]) -> None:
    said: dict[tuple[str, str], set[str]] = {}
    for record in splits["test"]:
        fare = re.search(r"(\w+) fare", record["input"])
        assert fare
        if record["kind"] in ("bags", "change", "refund"):
            said.setdefault((record["kind"], fare[1]), set()).add(re.sub(r"F\d{3}", "", record["output"]))
    assert len(said) == 9
    assert all(len(answers) == 1 for answers in said.values())
    assert len({answer for answers in said.values() for answer in answers}) == 9


def test_held_out_splits_have_phrasings_of_their_own(splits: dict[str, list[dict[str, str]]]) -> None:
    def unseen(split: str) -> float:
        fresh = (
            "to which gate",
            "where is my gate",
            "how soon",
            "on what day",
            "tell me my seat",
            "where is my seat",
            "what about my luggage",
            "a big suitcase",
            "later flight",
            "different day",
            "when i do not fly",
            "how much money",
            "leave as planned",
            "how long is the delay",
            "let us talk",
            "can you help me",
        )
        return sum(any(part in r["instruction"].lower() for part in fresh) for r in splits[split]) / len(
            splits[split]
        )

    assert unseen("train") == 0
    assert 0.28 < unseen("test") < 0.39


def test_equal_seeds_give_equal_records() -> None:
    assert list(airline(3, 50, "train")) == list(airline(3, 50, "train")) != list(airline(4, 50, "train"))
