"""Conversation: greetings, clarifications and unknown things are split, phrased and checked as tasks are."""

import re
from typing import Any

import pytest

from foundling.fables.conversation import CLARIFICATION, SLOTS, TOPICS, plain
from foundling.fables.instruction_checks import check
from foundling.fables.instructions import TASKS, instructions
from foundling.fables.phrasing import split_of

Record = dict[str, Any]
SPLITS = ("train", "validation", "test")
ONLY_CONVERSATION = {**dict.fromkeys(TASKS, 0.0), "conversation": 1.0}


@pytest.fixture(scope="module")
def splits() -> dict[str, list[Record]]:
    return {split: list(instructions(1, 4000, split, ONLY_CONVERSATION)) for split in SPLITS}


def topic_of(record: Record) -> str:
    return str(record["kind"]).removeprefix("conversation/")


def is_of(record: Record, ways: tuple[str, ...]) -> bool:
    """Whether one of the patterns can be the record's text, however it was typed."""
    return any(re.fullmatch(as_regex(way), plain(record["instruction"])) for way in ways)


def as_regex(pattern: str) -> str:
    """A pattern as a regular expression for plain texts; a frame such as "hello, " is up to two words."""
    text = re.sub(r"[^\w \[\](){}|]", "", pattern.lower())
    text = text.replace("(", "(?:").replace("[", "(?:").replace("]", ")?")
    text = re.sub(r"\{(hello|maybe|kindly)\}", r"(?:\\w+ ){0,2}", text)
    return re.sub(r"\{[a-z]+2?\}", ".+", text)


def test_conversation_is_drawn_if_asked_for() -> None:
    records = list(instructions(1, 400, "train", {"conversation": 13}))
    assert 150 < sum("history" in record for record in records) < 250
    assert not any("history" in record for record in instructions(1, 400, "train"))


def test_every_topic_is_in_every_split_by_its_weight(splits: dict[str, list[Record]]) -> None:
    whole = sum(topic.weight for topic in TOPICS.values())
    for records in splits.values():
        for name, topic in TOPICS.items():
            count = sum(topic_of(record) == name for record in records)
            assert count == pytest.approx(4000 * topic.weight / whole, rel=0.25), name


def test_no_text_is_in_two_splits(splits: dict[str, list[Record]]) -> None:
    texts = {}
    for split, records in splits.items():
        texts[split] = {(str(r["history"]), plain(r["instruction"])) for r in records}
    assert not texts["train"] & texts["validation"]
    assert not texts["train"] & texts["test"]
    assert not texts["validation"] & texts["test"]


def test_the_plainest_phrasings_are_in_training_only(splits: dict[str, list[Record]]) -> None:
    for split, records in splits.items():
        found = {topic_of(r) for r in records if not r["history"] and is_of(r, TOPICS[topic_of(r)].core)}
        assert found == (set(TOPICS) if split == "train" else set())


def test_some_phrasings_are_in_validation_and_test_only(splits: dict[str, list[Record]]) -> None:
    for split, records in splits.items():
        unseen = sum(is_of(r, TOPICS[topic_of(r)].unseen) for r in records) / len(records)
        assert (0.2 < unseen < 0.45) if split != "train" else unseen == 0


def test_what_a_question_is_about_decides_its_split(splits: dict[str, list[Record]]) -> None:
    for sport in SLOTS["sport"]:
        asked = rf"who won the {sport} (game|match|final)\b(?!.*\bon\b)"
        where = {
            s for s, records in splits.items() for r in records if re.search(asked, plain(r["instruction"]))
        }
        assert where <= {split_of("conversation", sport)}


def test_a_clarification_says_the_previous_answer_again(splits: dict[str, list[Record]]) -> None:
    later = [r for r in splits["test"] if r["history"]]
    assert len(later) > 200
    assert {topic_of(record) for record in later} == {CLARIFICATION}
    for record in later:
        ((_, answer),) = record["history"]
        again = record["output"].removeprefix("I mean ").removeprefix("that ").removeprefix("the text is ")
        assert answer.lower().endswith(again.lower())


def test_no_topics_answer_is_right_for_another() -> None:
    for name, topic in TOPICS.items():
        record = {"kind": f"conversation/{name}", "output": topic.answer, "history": []}
        right = {other for other, one in TOPICS.items() if check(record, one.answer)}
        also = {CLARIFICATION: {"greeting", "assent"}, "assent": {"greeting", CLARIFICATION}}
        assert right == {name} | also.get(name, set())


@pytest.mark.parametrize("split", SPLITS)
def test_texts_are_whole_and_short(splits: dict[str, list[Record]], split: str) -> None:
    for record in splits[split]:
        assert not set(record["instruction"] + record["output"]) & set("{}[]|"), record
        assert 1 <= len(record["instruction"]) < 100
        assert check(record, record["output"]), record


def test_a_third_of_training_is_typed_carelessly(splits: dict[str, list[Record]]) -> None:
    careless = [r["instruction"] for r in splits["train"] if re.fullmatch(r"[a-z].*|.*\w", r["instruction"])]
    assert 0.3 < len(careless) / 4000 < 0.5
