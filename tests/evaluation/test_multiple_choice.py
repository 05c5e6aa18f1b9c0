"""Multiple choice: a model that can answer wins, others score chance, and baselines are reported."""

import random
from typing import Any

import pytest
from torch import nn

from foundling.evaluation.multiple_choice import (
    MultipleChoice,
    Question,
    answer,
    choose,
    continuation,
    read_question,
)
from foundling.settings.datasets import QuestionFields

PLACES = ("garden", "forest", "river", "cave", "attic", "meadow")
SETTINGS: dict[str, Any] = {"control": True, "batch_tokens": 2048, "seed": 7}
FIELDS = QuestionFields(query="query", choices="choices", gold="gold")


def riddles(count: int) -> list[Question]:
    """Two keys, two places; the word in front of the asked place stood in front of it in the story, too."""
    rng = random.Random(0)
    made = []
    for _ in range(count):
        choices = rng.sample(PLACES, 4)
        first, last = rng.sample(range(4), 2)
        gold, colour = rng.choice([(first, "red"), (last, "blue")])
        story = f"red {choices[first]} blue {choices[last]} . "
        made.append(
            Question(
                query=f"{story}{colour}",
                choices=tuple(choices),
                gold=gold,
                kind="binding",
                first=first,
                last=last,
                control=colour,
            )
        )
    return made


def test_a_model_that_copies_is_always_right_and_at_chance_without_the_story(
    parrot: nn.Module, words: Any
) -> None:
    items = MultipleChoice(riddles(400), "{query}", normalized=False)
    scores = items.score(parrot, words, **SETTINGS).scores.kinds["binding"]
    assert scores.accuracy == 1
    assert scores.chance == 0.25
    assert scores.control == pytest.approx(0.25, abs=0.08)
    assert scores.first_mentioned == pytest.approx(1 - scores.last_mentioned)


@pytest.mark.parametrize("normalized", [False, True])
def test_ties_land_near_chance(uniform: nn.Module, words: Any, normalized: bool) -> None:
    questions = [Question("which", ("aa", "bb", "cc", "dd"), 0) for _ in range(1000)]
    scores = (
        MultipleChoice(questions, "{query}", normalized).score(uniform, words, **SETTINGS).scores.kinds["all"]
    )
    assert scores.accuracy == pytest.approx(0.25, abs=0.05)
    assert scores.low < 0.25 < scores.high


def test_ties_are_broken_by_the_seed_alone() -> None:
    rows = [[-1.0, -1.0, -2.0]] * 50
    assert choose(rows, seed=1) == choose(rows, seed=1) != choose(rows, seed=2)
    assert set(choose(rows, seed=1)) == {0, 1}


def test_length_counts_raw_and_not_per_character(uniform: nn.Module, words: Any) -> None:
    questions = [Question("it was", ("a b", "incomprehensibilities of it", "see no one"), 1)]
    outcomes = answer(uniform, words, questions, "{query}", 2048, seed=0)
    assert (outcomes.raw, outcomes.per_character) == ([False], [True])


def test_a_rule_that_finds_nothing_mentioned_guesses(uniform: nn.Module, words: Any) -> None:
    questions = [
        Question("q", ("a", "b"), 0, kind="mention", first=0, last=0),
        Question("q", ("a", "b"), 0, kind="facts"),
        Question("q", ("a", "b", "c", "d"), 0, kind="facts"),
    ]
    kinds = (
        MultipleChoice(questions, "{query}", normalized=False).score(uniform, words, **SETTINGS).scores.kinds
    )
    assert kinds["mention"].first_mentioned == 1
    assert kinds["facts"].first_mentioned == kinds["facts"].chance == pytest.approx(0.375)
    assert kinds["all"].control is None


def test_the_space_goes_with_the_choice_and_a_document_starts_after_end_of_text(words: Any) -> None:
    request = continuation(words, "the key was in the ", " garden ")
    assert request.context == (words.end_of_text, *words.encode("the key was in the"))
    assert request.continuation == tuple(words.encode("garden"))


def test_fields_may_have_other_names() -> None:
    record = {"ctx": "q", "endings": ["a", "b"], "label": "1"}
    assert read_question(record, QuestionFields(query="ctx", choices="endings", gold="label")) == Question(
        "q", ("a", "b"), 1
    )


UP_DOWN = ["up", "down", "left", "right"]
LABELLED = {"text": UP_DOWN, "label": ["A", "B", "C", "D"]}
NUMBERED = {"text": UP_DOWN, "label": ["1", "2", "3", "4"]}


@pytest.mark.parametrize(
    ("choices", "gold"),
    [
        (UP_DOWN, 2),
        (UP_DOWN, 2.0),
        (UP_DOWN, "2"),
        (UP_DOWN, "C"),
        (UP_DOWN, " c "),
        (LABELLED, "C"),
        (NUMBERED, "3"),
        (NUMBERED, 3),
        ([{"text": text, "label": label} for text, label in zip(UP_DOWN, "ABCD", strict=True)], "C"),
    ],
)
def test_the_right_choice_is_an_index_a_letter_or_a_label(choices: Any, gold: Any) -> None:
    record = {"query": "q", "choices": choices, "gold": gold}
    assert read_question(record, FIELDS) == Question("q", tuple(UP_DOWN), 2)


@pytest.mark.parametrize(
    ("record", "complaint"),
    [
        ({"query": "q", "choices": "up", "gold": 0}, "choices='up': must be a list of texts"),
        ({"query": "q", "choices": {"A": "up", "B": "down"}, "gold": "A"}, "must be a list of texts"),
        ({"query": "q", "choices": {"text": "up", "label": "A"}, "gold": "A"}, "must be a list of texts"),
        (
            {"query": "q", "choices": {"text": ["a", "b"], "label": ["A"]}, "gold": "A"},
            "must have a label for each",
        ),
        ({"query": "q", "choices": ["a", 2], "gold": 0}, "must be a list of texts"),
        ({"query": 7, "choices": ["a", "b"], "gold": 0}, "query=7: must be a string"),
        ({"query": "q", "choices": ["a", "b"], "gold": "C"}, "gold='C': must be 0 to 1 or A to B"),
        ({"query": "q", "choices": LABELLED, "gold": 0}, "gold=0: must be one of the labels A, B, C, D"),
        ({"query": "q", "choices": ["a", "b"], "gold": True}, "gold=True: must be 0 to 1"),
        ({"query": "q", "choices": ["a", "b"], "gold": None}, "gold=None: must be 0 to 1"),
        ({"query": "q", "choices": ["a", "b"], "gold": -1}, "gold=-1: must be 0 to 1"),
        ({"query": "q", "choices": ["a", "b"], "gold": 0, "kind": 3}, "kind=3: must be a string"),
        (
            {"query": "q", "choices": ["a", "b"], "gold": 0, "first": 2},
            "first=2: must be the index of a choice",
        ),
        ({"query": "q", "choices": ["a", "b"], "gold": 0, "control": []}, r"control=\[\]: must be a string"),
        ({"query": "q", "choices": ["a", "b"]}, "gold is missing; the record has query, choices"),
        ({"query": "q", "choices": ["a", "b"], "gold": 2}, "gold=2: must be 0 to 1"),
        ({"query": "q", "choices": ["a"], "gold": 0}, "at least two choices"),
        ({"query": "q", "choices": ["a", " "], "gold": 0}, "none empty"),
    ],
)
def test_a_broken_record_is_refused(record: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        read_question(record, FIELDS)
