"""Instruction triples: thirteen kinds, disjoint by split, short, and checked by rules."""

import hashlib
from collections import Counter

import pytest

from foundling.fables.instruction_checks import check
from foundling.fables.instructions import TASKS, instructions
from foundling.fables.scenes import CONTINUATIONS, PHRASINGS, SUMMARIES

SPLITS = ("train", "validation", "test")
CLOSED = ("fact", "comprehension", "past", "plural", "opposite", "ordering", "choices", "grammar", "french")


def test_equal_seeds_give_equal_bytes():
    lines = ["\t".join(r.values()) for r in instructions(1, 300, "train")]
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16] == "59cce1ea2bf6db63"


def test_thirteen_kinds_come_alike_often():
    kinds = Counter(r["kind"] for r in instructions(1, 2600, "train"))
    assert set(kinds) == set(TASKS) == set(PHRASINGS)
    assert len(kinds) == 13
    assert min(kinds.values()) > 120


def test_shares_weigh_the_kinds_and_name_them():
    kinds = Counter(r["kind"] for r in instructions(1, 2600, "train", shares={"french": 12, "list": 0}))
    assert kinds["french"] == pytest.approx(2600 * 12 / 23, rel=0.1)
    assert kinds["list"] == 0
    with pytest.raises(ValueError, match="shares: unknown kind latin; choose among fact, list"):
        next(instructions(1, 1, "train", shares={"latin": 1}))


def test_no_task_is_in_two_splits():
    tasks = {}
    for split in SPLITS:
        records = instructions(2, 3000, split)
        # a bare question stands in the instruction, a task with its phrasing in the input
        tasks[split] = {(r["kind"], r["input"] or r["instruction"]) for r in records if r["kind"] != "list"}
    assert not tasks["train"] & tasks["test"]
    assert not tasks["train"] & tasks["validation"]
    assert not tasks["validation"] & tasks["test"]


@pytest.mark.parametrize("split", SPLITS)
def test_a_third_of_validation_and_of_the_test_has_phrasings_of_its_own(split):
    said = [r["instruction"] for r in instructions(3, 2000, split)]
    own = {one: {text for kind in PHRASINGS.values() for text in getattr(kind, one)} for one in SPLITS}
    assert not own["validation"] & own["test"]
    for other in {"validation", "test"} - {split}:
        assert not (own[other] - own["train"]) & set(said)
    if split != "train":
        assert 0.2 < sum(text in own[split] for text in said) / len(said) < 0.4


def test_records_are_short_and_whole():
    for r in instructions(4, 3000, "test"):
        assert len(r["instruction"] + r["input"] + r["output"]) < 280, r
        assert not set(r["instruction"] + r["input"] + r["output"]) & set("{}[]|"), r
        assert r["output"]


@pytest.mark.parametrize("split", SPLITS)
def test_every_output_passes_its_own_check(split):
    for r in instructions(5, 1000, split):
        assert check(r, r["output"]), r


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_answer_to_another_task_fails(split):
    """Each closed record's answer is held against the next record of its kind with another answer."""
    last, tried = {}, 0
    for r in instructions(6, 3000, split):
        other = last.get(r["kind"])
        if r["kind"] in CLOSED and other and other["output"] != r["output"] and other["input"] != r["input"]:
            tried += 1
            assert not check(r, other["output"]), (r, other["output"])
        last[r["kind"]] = r
    assert tried > 1000


def test_empty_and_echoed_answers_fail():
    for r in instructions(7, 1000, "train"):
        assert not check(r, "  "), r
        echoes = r["input"] and r["kind"] not in ("ordering",)
        assert not (echoes and check(r, r["input"])), r


def record(kind, given, output, instruction="Do it."):
    return {"kind": kind, "instruction": instruction, "input": given, "output": output}


HID = "Mia hid the key in the barn. Later Tom found it and put it by the well."
LOST = (
    "Mia lost the key. She looked for it in the barn and could not find it. "
    "In the evening Tom found it and brought it back."
)
HUNGRY = "Mia was very hungry. There was a pear on the table in the kitchen."

CASES = [
    (
        record("fact", "Where does the fox live?", "The fox lives in the forest."),
        ["The fox lives in the forest.", "In the forest.", "the forest", "It lives in the forest!"],
        ["In the desert.", "In the forest and in the desert.", "Not in the forest.", "The lion lives in the "
            "forest."],
    ),
    (
        record("list", "Which two animals eat mice?", "The cat and the owl."),
        ["The cat and the owl.", "Owls and foxes.", "fox, cat"],
        ["The cat.", "The cat and the cow.", "The cat and the cat.", "Mice."],
    ),
    (
        record("comprehension", f"{HID} Where is the key now?", "The key is by the well."),
        ["By the well.", "The key is by the well.", "It is by the well now."],
        ["In the barn.", "The key is in the barn.", "By the well or in the barn.", "The key is not by the "
            "well."],
    ),
    (
        record("comprehension", f"{HID} Who found the key?", "Tom found the key."),
        ["Tom.", "Tom did.", "It was Tom."],
        ["Mia found the key.", "Mia and Tom.", "She did."],
    ),
    (
        record("sentiment", "Mia laughed.", "Positive."),
        ["positive", "Positive.", "It is positive."],
        ["Negative.", "positive or negative", "not positive", "Good."],
    ),
    (
        record("summary", LOST, "Tom found the key that Mia had lost."),
        ["Tom found the key that Mia had lost.", "Tom brought Mia the key.", "Mia's key was found by Tom.",
         "Mia lost her key, but Tom found it."],
        ["Mia found the key that Tom had lost.", "Tom found the lamp that Mia had lost.", "Mia lost the key.",
         "Tom found the key. Mia had lost it.", "Tom's key was found by Mia.", LOST],
    ),
    (
        record("past", "The dog does not see the key.", "The dog did not see the key."),
        ["The dog did not see the key.", "the dog didn't see the key"],
        ["The dog does not see the key.", "The dog saw the key.", "The dogs did not see the key."],
    ),
    (
        record("plural", "The hen sings.", "The hens sing."),
        ["The hens sing."],
        ["The hens sings.", "The hen sings.", "The hens sang."],
    ),
    (
        record("opposite", "The fox is big.", "The fox is small."),
        ["The fox is small."],
        ["The fox is big.", "The fox is old."],
    ),
    (
        record("ordering", "A: Then he ran. B: At last he slept. C: Tom woke up.", "C, A, B"),
        ["C, A, B", "C A B", "The order is C, A, B."],
        ["A, B, C", "C, A", "C, A, B, C", "c"],
    ),
    (
        record("choices", "The hat is in the barn.", "Where is the hat? A) in the barn B) by the lake C) in "
            "the cave "
               "D) on the hill Answer: A"),
        ["Where is the hat? A) by the lake B) in the barn C) in the cave D) on the hill Answer: B",
         "What is in the barn? A) the dog B) the key C) the hat D) the cup Answer: C"],
        ["Where is the hat? A) in the barn B) by the lake C) in the cave D) on the hill Answer: B",
         "Where is the hat? A) in the barn B) in the barn C) in the cave D) on the hill Answer: A",
         "Where is the hat in the barn? A) in the barn B) by the lake C) in the cave D) on the hill Answer: "
         "A",
         "Where is the dog? A) by the mill B) by the lake C) in the cave D) on the hill Answer: A",
         "Where is the hat? In the barn."],
    ),
    (
        record("grammar", "Two hens sees a fox.", "Two hens see a fox."),
        ["Two hens see a fox.", "Two hens saw a fox."],
        ["Two hens sees a fox.", "Two hen see a fox.", "A hen sees a fox."],
    ),
    (
        record("grammar", "Two hens is in the barn.", "Two hens are in the barn."),
        ["Two hens are in the barn"],
        ["Two hens is in the barn.", "A hen is in the barn."],
    ),
    (
        record("french", "The lion is in the forest.", "Le lion est dans la forêt."),
        ["Le lion est dans la forêt.", "le lion est dans la forêt"],
        ["La lion est dans la forêt.", "Le lion est dans le forêt.", "Le loup est dans la forêt."],
    ),
    (
        record("continuation", HUNGRY, "She took the pear and ate it."),
        ["She ate the pear.", "Mia sat down. She ate the pear and was happy."],
        ["He ate the pear.", "Tom ate the pear.", "She ate the cake.", "She danced all night.",
         "she ate the pear", "Mia was very hungry."],
    ),
    (
        record("conversation/thanks", "", "You are welcome.", "Thanks a lot!"),
        ["You are welcome.", "I am glad that I could help.", "My pleasure!"],
        ["Thanks a lot!", "Hello!", "The fox is welcome.", "you are welcome", "You are welcome " * 20 + "."],
    ),
    (
        record("conversation/unknown", "", "I do not know that.", "Who won the football game?"),
        ["I do not know that.", "I cannot know who won the game.", "Sorry. I do not know who won."],
        ["The fox won the game.", "The team won.", "I know that.", "I do not know, but Mia won."],
    ),
    (
        record("conversation/clarification", "", "I mean that the fox lives in the forest.", "What?"),
        ["I mean that the fox lives in the forest.", "The fox lives in the forest.",
         "In other words, the fox lives in the forest."],
        ["I mean that the fox does not live in the forest.", "I mean that the lion lives in the forest.",
         "I mean that the fox lives in the desert.", "What would you like to know?"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("task", "right", "wrong"), CASES, ids=[f"{i}-{row[0]['kind']}" for i, row in enumerate(CASES)]
)
def test_checkers_tell_right_from_wrong(task, right, wrong):
    assert [answer for answer in right if not check(task, answer)] == []
    assert [answer for answer in wrong if check(task, answer)] == []


def test_every_kind_has_hand_written_cases():
    assert {row[0]["kind"].split("/")[0] for row in CASES} == {*TASKS, "conversation"}


def test_each_story_has_its_own_cue():
    for table in (SUMMARIES, CONTINUATIONS):
        for story, _, cue, _ in table:
            assert [other for other, *_ in table if cue in other] == [story]


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match="choose one of train"):
        next(instructions(1, 1, "dev"))
