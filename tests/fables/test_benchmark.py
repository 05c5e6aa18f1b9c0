"""The benchmark is equal on all platforms, has new combinations, and cannot be solved without reading."""

import hashlib
import json
import re
from collections import Counter, defaultdict
from itertools import islice, pairwise
from typing import Any

import pytest

from foundling.fables.benchmark import GROUPS, KINDS, continuations, questions
from foundling.fables.facts import FACTS
from foundling.fables.generators import GENERATORS
from foundling.fables.stories import stories

WORD = re.compile(r"\w+|[^\w\s]")
FORMS = {"continuations": continuations, "questions": questions}
WHOLE = ("facts", "mention", "binding", "cause", "sentiment")
Records = list[dict[str, Any]]


@pytest.fixture(scope="module", params=FORMS)
def records(request: pytest.FixtureRequest) -> Records:
    return list(FORMS[request.param](1, 1200, "test"))


@pytest.fixture(scope="module")
def training() -> list[str]:
    return [record["text"] for record in stories(1, 2.0)]


def share(records: Records, pick: Any) -> float:
    """How often a rule, from a record to an index, is right."""
    return sum(pick(record) == record["gold"] for record in records) / len(records)


def by_kind(records: Records) -> dict[str, Records]:
    kinds = defaultdict(list)
    for record in records:
        kinds[record["kind"].split("/")[0]].append(record)
    return kinds


@pytest.mark.parametrize(
    ("form", "pin"), [("continuations", "42ca96c3400aeae0"), ("questions", "696acadee7ac47bc")]
)
def test_equal_seeds_give_equal_bytes(form: str, pin: str) -> None:
    made = json.dumps(list(FORMS[form](1, 100, "test")))
    assert hashlib.sha256(made.encode()).hexdigest()[:16] == pin


def test_a_shorter_benchmark_is_the_beginning_of_a_longer_one(records) -> None:
    assert any(list(make(1, 60, "test")) == records[:60] for make in FORMS.values())


def test_kinds_are_balanced_and_records_whole(records) -> None:
    counts = Counter(record["kind"].split("/")[0] for record in records)
    assert counts == dict.fromkeys(WHOLE, 240)
    assert {record["kind"] for record in records} == set(KINDS)
    for record in records:
        assert len(set(record["choices"])) == 4
        assert all(choice.isalpha() for choice in record["choices"])
        assert record["query"].endswith(record["control"])
        assert not set("<>{}[]|~") & set(record["query"])
        assert len(record["query"].split()) < 120
        group = next(g for mark in GROUPS for g in GROUPS[mark] if set(record["choices"]) <= set(g))
        assert group


def test_kinds_are_what_they_are_called(records) -> None:
    for record in records:
        words = WORD.findall(record["query"])
        gold = record["choices"][record["gold"]]
        named = [choice for choice in record["choices"] if choice in words]
        kind = record["kind"].split("/")[0]
        if kind == "mention":
            assert named == [gold]
        elif kind == "binding":
            assert gold in named
            assert 2 <= len(named) <= 3
        else:
            assert not named
        if named:
            order = [word for word in words if word in named]
            assert record["choices"][record["first"]] == order[0]
            assert record["choices"][record["last"]] == order[-1]
        else:
            assert record["first"] is None
            assert record["last"] is None
        if kind != "facts":
            assert not set(WORD.findall(record["control"])) & set(record["choices"])


def test_right_answers_stand_at_each_place(records) -> None:
    for kind, some in by_kind(records).items():
        counts = Counter(record["gold"] for record in some)
        assert max(counts.values()) < 0.36 * len(some), kind


def test_the_order_of_mention_is_uninformative(records) -> None:
    kinds = defaultdict(list)
    for record in records:
        kinds[record["kind"]].append(record)
    for kind in (kind for kind in kinds if kind.startswith("binding")):
        assert share(kinds[kind], lambda r: r["first"]) <= 0.40, kind
        assert share(kinds[kind], lambda r: r["last"]) <= 0.40, kind


def test_shortcuts_stay_at_chance(records, training) -> None:
    """Over all: within 5 points of 25 %; by kind, of 240 questions, within three standard errors more."""
    words, follows = Counter[str](), Counter[tuple[str, str]]()
    for text in training:
        tokens = WORD.findall(text)
        words.update(tokens)
        follows.update(pairwise(tokens))

    def best(record: dict[str, Any], value: Any) -> int:
        values = [value(choice) for choice in record["choices"]]
        return values.index(max(values))

    rules = {
        "longest": lambda record: best(record, len),
        "shortest": lambda record: best(record, lambda choice: -len(choice)),
        "most frequent": lambda record: best(record, words.__getitem__),
        "bigram": lambda record: best(
            record, lambda choice: follows[WORD.findall(record["query"])[-1], choice]
        ),
    }
    for name, rule in rules.items():
        assert abs(share(records, rule) - 0.25) < 0.05, name
        for kind, some in by_kind(records).items():
            assert share(some, rule) < 0.25 + 0.05 + 3 * 0.028, (name, kind)


def test_no_query_is_in_the_training_texts(records, training) -> None:
    text = "\n".join(training)
    asked = [record for record in records if record["kind"].split("/")[0] in ("mention", "binding")]
    assert not any(record["query"] in text for record in asked)


def test_facts_are_asked_of_every_attribute(records) -> None:
    asked = by_kind(records)["facts"]
    values = {record["choices"][record["gold"]] for record in asked}
    for attribute in ("home", "food", "colour", "sound", "character"):
        assert values & {facts[attribute].split()[-1] for facts in FACTS.values()}


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(ValueError, match="choose one of train"):
        next(continuations(1, 1, "dev"))


def test_all_generators_are_there_and_yield_records() -> None:
    settings: dict[str, dict[str, Any]] = {
        "stories": {"seed": 1, "megabytes": 0.01},
        "pairs": {"seed": 1, "count": 3, "language": "german", "split": "train"},
        "phrasebook": {"seed": 1, "count": 3, "language": "french", "split": "train"},
        "drills": {"seed": 1, "count": 3},
    }
    assert {"stories", "continuations", "questions", "messages", "instructions", "pairs"} <= set(GENERATORS)
    for name, make in GENERATORS.items():
        made = list(islice(make(**settings.get(name, {"seed": 1, "count": 3, "split": "train"})), 3))
        assert len(made) == 3
        assert all(isinstance(record, dict) for record in made)
