"""Conversations are read from triples and message lists; errors name the row."""

import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from foundling.config import compose
from foundling.data.conversations import Example, read_conversations
from foundling.data.fetching import fetch
from foundling.data.splits import TEST, TRAIN, VALIDATION
from foundling.settings import Job
from foundling.settings.datasets import Dataset, RandomSplit, Source
from foundling.settings.training import Instruct
from foundling.text.prompts import ASSISTANT, SYSTEM, USER, Message

Read = Callable[..., dict[str, list[Example]]]
TRIPLES = [{"instruction": f"Say {n}.", "input": "", "output": f"{n}!", "sort": "say"} for n in range(40)]
BY_SOURCE = RandomSplit(by="source", validation=0.1, test=0.1)


@pytest.fixture(scope="module")
def settings() -> Instruct:
    """conf/instruct/recipe.yaml."""
    composed = Job.of(compose(["instruct=files", "instruct.path=mine", "instruct.fields.input=null"]), Path())
    return composed.settings.instruct


@pytest.fixture
def read(settings: Instruct, tmp_path: Path) -> Read:
    """Write records, one list for each source, fetch and read them, by the settings with changes."""

    def run(
        sources: dict[str, list[Any]],
        fields: dict[str, Any] | None = None,
        counts: Counter[str] | None = None,
        **changes: Any,
    ) -> dict[str, list[Example]]:
        for name, rows in sources.items():
            (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        listed = tuple(Source(name=name, path=str(tmp_path / f"{name}.jsonl")) for name in sources)
        dataset = Dataset(name="mine", sources=listed)
        changed = replace(
            settings,
            dataset=dataset,
            fields=replace(settings.fields, **(fields or {})),
            **changes,
        )
        shutil.rmtree(tmp_path / "raw", ignore_errors=True)
        fetch(dataset, tmp_path / "raw", None)
        return read_conversations(tmp_path / "raw", changed, Counter() if counts is None else counts)

    return run


def test_shares_are_drawn_by_the_seed_and_cover_all(read: Read) -> None:
    splits = read({"mine": TRIPLES}, split=RandomSplit(by="drawn", validation=0.1, test=0.2))
    assert {name: len(those) for name, those in splits.items()} == {TEST: 8, VALIDATION: 4, TRAIN: 28}
    said = [example.response for those in splits.values() for example in those]
    assert sorted(said) == sorted(row["output"] for row in TRIPLES)
    assert [e.response for e in splits[TEST]] != [row["output"] for row in TRIPLES[:8]]


def test_a_triple_becomes_a_question_and_an_answer(read: Read) -> None:
    row = {"task": "Add.", "numbers": " 1 2 ", "sum": "3"}
    splits = read(
        {
            "train": [row] * 3,
            "validation": [row | {"sum": "4", "numbers": "2 2"}],
            "test": [row | {"numbers": ""}],
        },
        fields={"instruction": "task", "input": "numbers", "output": "sum"},
        split=BY_SOURCE,
        system="Count.",
    )
    expected = (Message(SYSTEM, "Count."), Message(USER, "Add.\n1 2"), Message(ASSISTANT, "3"))
    assert splits[TRAIN][0].messages == expected
    assert splits[TEST][0].prompt[-1].text == "Add."


def test_earlier_turns_precede_a_triple(read: Read) -> None:
    row = {"instruction": "Why?", "output": "It had a key.", "past": [["Who won?", "The fox."]]}
    others = {"validation": [row | {"past": []}], "test": [row | {"past": None, "instruction": "How?"}]}
    splits = read({"train": [row], **others}, fields={"history": "past"}, split=BY_SOURCE)
    earlier = (Message(USER, "Who won?"), Message(ASSISTANT, "The fox."))
    asked = (Message(USER, "Why?"), Message(ASSISTANT, "It had a key."))
    assert splits[TRAIN][0].messages == (*earlier, *asked)
    assert splits[VALIDATION][0].messages == asked
    assert len(splits[TEST][0].messages) == 2


@pytest.mark.parametrize("past", ["Who?", ["Who?"], [["Who?"]], [["Who?", ""]], [["Who?", 3]]])
def test_earlier_turns_are_pairs_of_texts(read: Read, past: Any) -> None:
    with pytest.raises(ValueError, match=r":1 of source mine has a \w+ in field 'past', not a list of pairs"):
        read({"mine": [TRIPLES[0] | {"past": past}]}, fields={"history": "past"})


def test_labels_become_the_answers_that_the_config_gives_them(read: Read) -> None:
    rows = [{"text": f"lost {n}", "label": "lost"} for n in range(9)]
    fields = {"instruction": "text", "output": "label", "kind": "label"}
    split = RandomSplit(by="drawn", validation=0.2, test=0.2)
    splits = read({"mine": rows}, fields=fields, answers={"lost": "Block it."}, split=split)
    assert {(e.response, e.kind) for e in splits[TRAIN]} == {("Block it.", "lost")}
    with pytest.raises(
        ValueError, match=r":1 of source mine has label 'lost', which is not in instruct\.answers"
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
        rows = [
            {"messages": [{"role": role, "content": text + " " * n} for role, text in talk]} for n in range(1)
        ]
        fields = {"messages": "messages"}
    else:
        rows = [{"conversations": [{"from": names.get(role, role), "value": text} for role, text in talk]}]
        fields = {"messages": "conversations", "role": "from", "content": "value"}
    other = json.loads(json.dumps(rows[0]).replace("Who?", "What?"))
    third = json.loads(json.dumps(rows[0]).replace("Who?", "Why?"))
    splits = read({"train": rows, "validation": [other], "test": [third]}, fields=fields, split=BY_SOURCE)
    assert splits[TRAIN][0].messages == tuple(Message(role, text) for role, text in talk[:-1])


def thrice(row: dict[str, Any], word: str) -> dict[str, list[dict[str, Any]]]:
    """A row for each split, unlike the others in one word."""
    names = {TRAIN: word, VALIDATION: f"{word}v", TEST: f"{word}t"}
    return {name: [json.loads(json.dumps(row).replace(word, other))] for name, other in names.items()}


def test_responses_of_weight_0_are_masked(read: Read) -> None:
    row = {
        "messages": [
            {"role": "developer", "content": "Be brief."},
            {
                "role": "user",
                "content": [{"type": "text", "text": "What is "}, {"type": "text", "text": "0+1?"}],
            },
            {"role": "assistant", "content": "2", "weight": 0},
            {"role": "user", "content": "No."},
            {"role": "assistant", "content": "1", "weight": 1, "tool_calls": None},
            {"role": "user", "content": "Thanks."},
            {"role": "assistant", "content": "Hm.", "weight": 0},
        ],
        "tools": [{"type": "function"}],
    }
    counts: Counter[str] = Counter()
    splits = read(thrice(row, "0+1"), fields={"messages": "messages"}, counts=counts, split=BY_SOURCE)
    assert splits[TRAIN][0].messages == (
        Message(SYSTEM, "Be brief."),
        Message(USER, "What is 0+1?"),
        Message(ASSISTANT, "2", masked=True),
        Message(USER, "No."),
        Message(ASSISTANT, "1"),
    )
    assert counts == {
        "left out: messages after the last response that is trained on": 6,
        "masked: responses of weight 0": 3,
        "left out: tool definitions, by rows": 3,
    }


def test_a_conversation_may_begin_with_the_assistant(read: Read) -> None:
    fields = {"messages": "conversations", "role": "from", "content": "value"}
    alone = [{"conversations": [{"from": "gpt", "value": f"Welcome to shop {n}."}]} for n in range(40)]
    splits = read({"mine": alone}, fields=fields)
    assert sum(map(len, splits.values())) == 40
    assert splits[TRAIN][0].messages[0].role == ASSISTANT
    assert splits[TRAIN][0].prompt == ()
    longer = [
        {
            "conversations": [
                *row["conversations"],
                {"from": "human", "value": "Hi"},
                {"from": "gpt", "value": "Yes?"},
            ]
        }
        for row in alone
    ]
    (first, *_) = read({"mine": longer}, fields=fields)[TRAIN]
    assert [message.role for message in first.messages] == [ASSISTANT, USER, ASSISTANT]


def test_an_optional_field_that_a_row_lacks_is_empty_and_counted(
    read: Read, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{"instruction": f"Count to {n}", "output": "1"} for n in range(40)]
    rows[0] |= {"input": "up", "sort": "a"}
    rows[1] |= {"input": None, "sort": None}
    counts: Counter[str] = Counter()
    splits = read({"mine": rows}, fields={"input": "input", "kind": "sort"}, counts=counts)
    found = {e.prompt[0].text: e.kind for examples in splits.values() for e in examples}
    assert (found["Count to 0\nup"], found["Count to 1"], found["Count to 2"]) == ("a", None, None)
    reason = "rows without the field 'input' (instruct.fields.input), which is taken as empty"
    assert counts[reason] == 39
    assert f"instruct: {reason}: 39" in caplog.text


def test_halves_of_surrogate_pairs_are_replaced_before_training(read: Read) -> None:
    counts: Counter[str] = Counter()
    rows = [row | {"instruction": row["instruction"] + "\ud83d"} for row in TRIPLES]
    splits = read({"mine": rows}, counts=counts)
    assert all(e.prompt[0].text.endswith("\ufffd") for examples in splits.values() for e in examples)
    assert counts == {"changed: halves of surrogate pairs to U+FFFD": 40}


def test_training_with_only_held_out_prompts_has_its_own_error(read: Read) -> None:
    rows = [{"instruction": "Same?", "output": f"{n}"} for n in range(40)]
    with pytest.raises(
        ValueError,
        match="split train of mine is empty: validation or test also have the prompts of all its 34",
    ):
        read({"mine": rows})
    with pytest.raises(
        ValueError, match=r"split train of mine is empty; lower instruct\.split\.validation and instruct"
    ):
        read({"mine": TRIPLES[:2]})


def test_what_is_asked_in_test_or_validation_is_dropped_from_train(
    read: Read, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    splits = read({"train": TRIPLES, "validation": TRIPLES[:2], "test": TRIPLES[1:5]}, split=BY_SOURCE)
    assert len(splits[TRAIN]) == 35
    assert "35 train, 2 validation, 4 test; 5 left out of train" in caplog.text


def test_a_validation_that_no_source_brings_is_drawn_from_train(read: Read) -> None:
    split = RandomSplit(by="source", validation=0.25, test=0.1)
    splits = read({"train": TRIPLES[:20], "test": TRIPLES[20:]}, split=split)
    assert (len(splits[TRAIN]), len(splits[VALIDATION]), len(splits[TEST])) == (15, 5, 20)


def broken(**changes: Any) -> list[dict[str, Any]]:
    """Forty records, the third of them changed; a value of ... takes its field away."""
    third = {k: v for k, v in (TRIPLES[2] | changes).items() if v is not ...}
    return [*TRIPLES[:2], third, *TRIPLES[3:]]


def talk(**message: Any) -> dict[str, Any]:
    return {"messages": [message]}


LISTED = {"messages": "messages"}


@pytest.mark.parametrize(
    ("rows", "fields", "says"),
    [
        (
            broken(output=...),
            {},
            r":3 of source mine has no field 'output' \(fields: instruction, input, sort\); "
            r"fix the row, or set instruct\.fields\.output to the right field$",
        ),
        (
            broken(input=7),
            {"input": "input"},
            r":3 .* a int in field 'input', not a string; .*\.input to the right field, or to null",
        ),
        (broken(instruction=7), {}, r":3 .* has a int in field 'instruction', not a string"),
        (broken(sort=["a"]), {"kind": "sort"}, r":3 .* has a list in field 'sort', not a string"),
        (broken(output="  "), {}, ":3 of source mine has an empty answer; write one, or remove the row"),
        (broken(instruction=""), {}, ":3 of source mine has an empty instruction"),
        (TRIPLES, LISTED, r":1 of source mine has no field 'messages' \(fields: instruction"),
        ([talk(role="user")], LISTED, "message 1 of .*:1 of source mine has no field 'content'"),
        (
            [talk(role="robot", content="x")],
            LISTED,
            "message 1 of .*:1 .* has the role 'robot': must be one of system",
        ),
        ([talk(role="user", content="x")], LISTED, ":1 of source mine has no response by the assistant"),
        (
            [talk(role="tool", content="7")],
            LISTED,
            "message 1 of .*:1 .* has the role 'tool', but tool calls are not",
        ),
        (
            [talk(role="function", name="f", content="7")],
            LISTED,
            "has the role 'function', but tool calls are not",
        ),
        (
            [talk(role="assistant", content=None, tool_calls=[{"id": "1"}])],
            LISTED,
            "message 1 of .*:1 .* has the field tool_calls, but tool calls are not supported; remove the row",
        ),
        (
            [talk(role="assistant", content="x", weight=0.5)],
            LISTED,
            r"weight=0.5: must be 0 \(mask it\) or 1",
        ),
        (
            [talk(role="assistant", content="x", weight=0)],
            LISTED,
            ":1 .* has only responses of weight 0; give one",
        ),
        (
            [talk(role="user", content=[{"type": "image_url", "image_url": "x"}])],
            LISTED,
            "message 1 of .*:1 .* has a part that is not text: {'type': 'image_url'",
        ),
    ],
)
def test_a_row_that_lacks_something_is_named(
    read: Read, rows: list[Any], fields: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        read({"mine": rows}, fields=fields)


def test_sources_that_are_no_splits_are_refused(read: Read) -> None:
    with pytest.raises(ValueError, match=r"a source 'mine', but .* named train, validation, test"):
        read({"mine": TRIPLES}, split=BY_SOURCE)


def test_an_empty_split_is_refused(read: Read) -> None:
    with pytest.raises(ValueError, match=r"the split test of mine is empty; add a source named test"):
        read({"train": TRIPLES}, split=BY_SOURCE)


@pytest.mark.parametrize(
    ("name", "sizes"),
    [("instruction_1k", (928, 55, 110)), ("bank", (9497, 500, 3080))],
)
def test_the_real_datasets_are_read_as_their_configs_say(
    mirror: Path, tmp_path: Path, name: str, sizes: tuple[int, ...]
) -> None:
    settings = Job.of(compose([f"instruct={name}"]), tmp_path).settings.instruct
    fetch(settings.dataset, tmp_path / "raw", mirror)
    splits = read_conversations(tmp_path / "raw", settings, Counter())
    assert tuple(len(splits[split]) for split in (TRAIN, VALIDATION, TEST)) == sizes
