"""Conversations are read from triples and message lists; what a row lacks is said with its number."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from foundling import config
from foundling.data.conversations import Example, conversations
from foundling.data.fetching import fetch
from foundling.data.splits import TEST, TRAIN, VALIDATION
from foundling.text.prompts import ASSISTANT, SYSTEM, TEMPLATES, USER, Message

Read = Callable[..., dict[str, list[Example]]]
TRIPLES = [{"instruction": f"Say {n}.", "input": "", "output": f"{n}!", "sort": "say"} for n in range(40)]
PHI3 = TEMPLATES["phi3"]


@pytest.fixture
def read(root: Path, tmp_path: Path) -> Read:
    """Write records, one list for each source, fetch them, read them by conf/instruct's recipe with changes."""

    def run(
        sources: dict[str, list[Any]], fields: dict[str, Any] | None = None, **changes: Any
    ) -> dict[str, list[Example]]:
        recipe = yaml.safe_load((root / "conf/instruct/recipe.yaml").read_text()) | {"seed": 1}
        recipe |= changes | {"fields": recipe["fields"] | (fields or {})}
        for name, rows in sources.items():
            (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        listed = [{"name": name, "path": str(tmp_path / f"{name}.jsonl")} for name in sources]
        recipe["dataset"] = {"name": "mine", "sources": listed}
        shutil.rmtree(tmp_path / "raw", ignore_errors=True)
        fetch(recipe["dataset"], tmp_path / "raw", None)
        return conversations(tmp_path / "raw", recipe, PHI3)

    return run


def test_shares_are_drawn_by_the_seed_and_cover_all(read: Read) -> None:
    splits = read({"mine": TRIPLES}, split={"by": "drawn", "validation": 0.1, "test": 0.2})
    assert {name: len(those) for name, those in splits.items()} == {TEST: 8, VALIDATION: 4, TRAIN: 28}
    said = [example.answer for those in splits.values() for example in those]
    assert sorted(said) == sorted(row["output"] for row in TRIPLES)
    assert [e.answer for e in splits[TEST]] != [row["output"] for row in TRIPLES[:8]]


def test_a_triple_becomes_a_question_and_an_answer(read: Read) -> None:
    row = {"task": "Add.", "numbers": " 1 2 ", "sum": "3"}
    splits = read(
        {"train": [row] * 3, "validation": [row | {"sum": "4", "numbers": "2 2"}], "test": [row | {"numbers": ""}]},
        fields={"instruction": "task", "input": "numbers", "output": "sum"},
        split={"by": "source", "validation": 0.0, "test": 0.0},
        system="Count.",
    )
    expected = (Message(SYSTEM, "Count."), Message(USER, "Add.\n1 2"), Message(ASSISTANT, "3"))
    assert splits[TRAIN][0].messages == expected
    assert splits[TEST][0].asked[-1].text == "Add."


def test_labels_become_the_answers_that_the_config_gives_them(read: Read) -> None:
    rows = [{"text": f"lost {n}", "label": "lost"} for n in range(9)]
    fields = {"instruction": "text", "output": "label", "kind": "label"}
    split = {"by": "drawn", "validation": 0.2, "test": 0.2}
    splits = read({"mine": rows}, fields=fields, answers={"lost": "Block it."}, split=split)
    assert {(e.answer, e.kind) for e in splits[TRAIN]} == {("Block it.", "lost")}
    with pytest.raises(
        ValueError, match=r"row 1 of source mine has label 'lost', for which instruct\.answers has no text"
    ):
        read({"mine": rows}, fields=fields, answers={"found": "Good."}, split=split)


@pytest.mark.parametrize("form", ["openai", "sharegpt"])
def test_message_lists_are_read_in_both_common_forms(read: Read, form: str) -> None:
    talk = [
        ("system", "Be brief."),
        ("user", "Hi."),
        ("assistant", "Hello."),
        ("user", "Who?"),
        ("assistant", "I."),
        ("user", "Bye."),
    ]
    names = {"user": "human", "assistant": "gpt"}
    if form == "openai":
        rows = [{"messages": [{"role": role, "content": text + " " * n} for role, text in talk]} for n in range(1)]
        fields = {"messages": "messages"}
    else:
        rows = [{"conversations": [{"from": names.get(role, role), "value": text} for role, text in talk]}]
        fields = {"messages": "conversations", "role": "from", "content": "value"}
    other = json.loads(json.dumps(rows[0]).replace("Who?", "What?"))
    third = json.loads(json.dumps(rows[0]).replace("Who?", "Why?"))
    split = {"by": "source", "validation": 0.0, "test": 0.0}
    splits = read({"train": rows, "validation": [other], "test": [third]}, fields=fields, split=split)
    assert splits[TRAIN][0].messages == tuple(Message(role, text) for role, text in talk[:-1])


def test_what_is_asked_in_test_or_validation_is_dropped_from_train(
    read: Read, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    split = {"by": "source", "validation": 0.0, "test": 0.0}
    splits = read({"train": TRIPLES, "validation": TRIPLES[:2], "test": TRIPLES[1:5]}, split=split)
    assert len(splits[TRAIN]) == 35
    assert "35 train, 2 validation, 4 test; 5 dropped from train" in caplog.text


def test_a_validation_that_no_source_brings_is_drawn_from_train(read: Read) -> None:
    split = {"by": "source", "validation": 0.25, "test": 0.0}
    splits = read({"train": TRIPLES[:20], "test": TRIPLES[20:]}, split=split)
    assert (len(splits[TRAIN]), len(splits[VALIDATION]), len(splits[TEST])) == (15, 5, 20)


def broken(**changes: Any) -> list[dict[str, Any]]:
    """Forty records, the third of them changed; a value of ... takes its field away."""
    third = {k: v for k, v in (TRIPLES[2] | changes).items() if v is not ...}
    return [*TRIPLES[:2], third, *TRIPLES[3:]]


def talk(**message: str) -> dict[str, Any]:
    return {"messages": [message]}


LISTED = {"messages": "messages"}


@pytest.mark.parametrize(
    ("rows", "fields", "says"),
    [
        (
            broken(output=...),
            {},
            r"row 3 of source mine has no field 'output' with a text \(found instruction, input, sort\); "
            r"mend the row, or set instruct\.fields\.output to the field that holds it",
        ),
        (broken(input=...), {"input": "input"}, r"row 3 .* no field 'input' .*fields\.input .*null: there is none"),
        (broken(instruction=7), {}, r"row 3 .* no field 'instruction' with a text \(found a int\)"),
        (broken(sort=...), {"kind": "sort"}, r"row 3 .* no field 'sort'"),
        (broken(output="  "), {}, "row 3 of source mine has an empty answer; write one, or take the row out"),
        (broken(instruction=""), {}, "row 3 of source mine has an empty instruction"),
        (TRIPLES, LISTED, r"row 1 of source mine has no field 'messages' with a list of messages"),
        ([talk(role="user")], LISTED, "message 1 of row 1 of source mine has no field 'content'"),
        ([talk(role="robot", content="x")], LISTED, "message 1 of row 1 .* has the role 'robot'; allowed are system"),
        ([talk(role="user", content="x")], LISTED, "row 1 of source mine has no answer of the assistant"),
    ],
)
def test_a_row_that_lacks_something_is_named(read: Read, rows: list[Any], fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read({"mine": rows}, fields=fields)


@pytest.mark.parametrize(
    ("split", "says"),
    [
        ({"by": "luck", "validation": 0.1, "test": 0.1}, "by='luck'; allowed are drawn and source"),
        ({"by": "drawn", "validation": 0.0, "test": 0.1}, "allowed are shares above 0"),
        ({"by": "drawn", "validation": 0.5, "test": 0.5}, "allowed are shares above 0"),
        ({"by": "source", "validation": 0.1, "test": 0.1}, "a source named 'mine'; .* named train, validation, test"),
    ],
)
def test_splits_that_cannot_be_are_refused(read: Read, split: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read({"mine": TRIPLES}, split=split)


def test_an_empty_split_is_refused(read: Read) -> None:
    with pytest.raises(ValueError, match=r"the split test of mine is empty; raise instruct\.split\.test"):
        read({"train": TRIPLES}, split={"by": "source", "validation": 0.1, "test": 0.1})


@pytest.mark.parametrize(
    ("name", "sizes"),
    [("instruction_1k", (928, 55, 110)), ("bank", (9497, 500, 3080))],
)
def test_the_real_datasets_are_read_as_their_configs_say(
    mirror: Path, tmp_path: Path, name: str, sizes: tuple[int, ...]
) -> None:
    recipe = config.section(config.compose([f"instruct={name}"]), "instruct")
    fetch(recipe["dataset"], tmp_path / "raw", mirror)
    splits = conversations(tmp_path / "raw", recipe, PHI3)
    assert tuple(len(splits[split]) for split in (TRAIN, VALIDATION, TEST)) == sizes
