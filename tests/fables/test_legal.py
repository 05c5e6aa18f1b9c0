"""The legal assistant's verdicts follow from rule and facts, and splits share no case."""

import re

import pytest

from foundling.fables.legal import ABOUT_THE_RULE, QUESTIONS, SLOTS, TOPICS, legal

Record = dict[str, str]
NUMBER = r"\d+"


@pytest.fixture(scope="module")
def splits() -> dict[str, list[Record]]:
    return {split: list(legal(1, 2000, split)) for split in ("train", "validation", "test")}


def applied(record: Record) -> tuple[str, int, int, int, str]:
    """Topic, number and limit of the rule that applies, value and name of the facts, read from the prompt."""
    rules = re.findall(rf"Rule ({NUMBER}): ([^.]+)\.", record["input"])
    fact = record["input"].partition("Case: ")[2]
    assert len(rules) == 2
    for topic, about in TOPICS.items():
        pattern = (
            re.escape(about.fact)
            .replace(r"\{name\}", r"(?P<name>\w+)")
            .replace(r"\{value\}", rf"(?P<value>{NUMBER})")
        )
        facts = re.match(pattern, fact)
        if facts:
            rule = re.escape(about.rule).replace(r"\{limit\}", f"({NUMBER})")
            found = [(int(number), match) for number, text in rules if (match := re.fullmatch(rule, text))]
            assert len(found) == 1
            return topic, found[0][0], int(found[0][1][1]), int(facts["value"]), facts["name"]
    raise AssertionError(record)


def test_splits_share_no_case_and_hold_every_kind(splits: dict[str, list[Record]]) -> None:
    def cases(split: str) -> set[tuple[str, int, str]]:
        read = [applied(record) for record in splits[split]]
        return {(topic, number, name) for topic, number, _, _, name in read}

    assert not cases("train") & cases("test")
    kinds = {*TOPICS, *ABOUT_THE_RULE}
    assert all({record["kind"] for record in records} == kinds for records in splits.values())


def test_a_verdict_compares_the_value_with_the_limit_of_the_rule_that_it_cites(
    splits: dict[str, list[Record]],
) -> None:
    verdicts = [record for record in splits["test"] if record["kind"] in TOPICS]
    for record in verdicts:
        topic, number, limit, value, _ = applied(record)
        lawful = value >= limit if topic == "notice" else value <= limit
        assert record["kind"] == topic
        assert record["output"].startswith("Yes. " if lawful else "No. ")
        assert [int(found) for found in re.findall(NUMBER, record["output"])] == [number, limit, value]
    lawful_share = sum(record["output"].startswith("Yes") for record in verdicts) / len(verdicts)
    assert 0.4 < lawful_share < 0.7


def test_the_rule_that_applies_is_cited_and_read(splits: dict[str, list[Record]]) -> None:
    for record in splits["test"]:
        number = applied(record)[1]
        if record["kind"] == "citation":
            assert record["output"] == f"Rule {number}."
        if record["kind"] == "rule":
            rule = record["output"].removeprefix(f"Rule {number} says: ")
            assert f"Rule {number}: {rule}" in record["input"]
        if record["kind"] == "else":
            assert not re.search(NUMBER, record["output"])


def test_questions_are_complete_sentences(splits: dict[str, list[Record]]) -> None:
    for record in splits["validation"]:
        assert record["instruction"][0].isupper()
        assert record["instruction"][-1] in "?."
        assert not re.search(r"[{}\[\]|]", record["instruction"] + record["input"] + record["output"])
    assert all(len(one.train) == 8 and len(one.unseen) == 2 for one in QUESTIONS.values())
    assert set(SLOTS) == {"hello", "tell", "elsewhere"}


def test_equal_seeds_give_equal_records() -> None:
    assert list(legal(3, 50, "train")) == list(legal(3, 50, "train")) != list(legal(4, 50, "train"))
