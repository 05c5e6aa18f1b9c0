"""Labelled texts are split without leaks, and errors name the row."""

import csv
import json
import logging
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from foundling.config import compose
from foundling.data.fetching import fetch
from foundling.data.labelled import Labelled, label_text, read_labelled
from foundling.data.splits import SPLITS
from foundling.settings import Job
from foundling.settings.training import Classify
from foundling.validation import build

WORDS = ("fox", "owl", "bear", "hare")


def settings(sources: list[dict[str, Any]], **changes: Any) -> Classify:
    values = Job.of(compose(["classify=files", "classify.path=mine"])).recipe["classify"]
    return build(Classify, values | {"dataset": {"name": "mine", "sources": sources}} | changes, "classify")


def fetched(folder: Path, sources: list[dict[str, Any]], **changes: Any) -> Labelled:
    """Fetch a user's own files, and read them."""
    made = settings(sources, **changes)
    fetch(made.dataset, folder / "raw", None)
    return read_labelled(folder / "raw", made, Counter())


def read(folder: Path, files: dict[str, list[tuple[str, str]]], **changes: Any) -> Labelled:
    """Read (text, label) rows from a CSV file for each source."""
    sources = []
    for name, rows in files.items():
        with open(folder / f"{name}.csv", "w", newline="") as file:
            csv.writer(file).writerows([("text", "label"), *rows])
        sources.append({"name": name, "path": str(folder / f"{name}.csv")})
    return fetched(folder, sources, **changes)


def rows(count: int, spam: int) -> list[tuple[str, str]]:
    return [(f"{WORDS[i % 4]} number {i}", "spam" if i < spam else "ham") for i in range(count)]


def test_a_stratified_split_holds_each_text_once_and_each_label_by_its_share(tmp_path: Path) -> None:
    found = read(tmp_path, {"mine": rows(200, 40)})
    texts = [text for split in SPLITS for text in found.texts(split)]
    assert sorted(texts) == sorted(text for text, _ in rows(200, 40))
    assert found.labels == ["ham", "spam"]
    counted = {split: Counter(example.label for example in found.splits[split]) for split in SPLITS}
    assert counted == {
        "train": {"ham": 112, "spam": 28},
        "validation": {"ham": 16, "spam": 4},
        "test": {"ham": 32, "spam": 8},
    }
    assert found.ids("test").sum() == 8


def test_the_seed_decides_the_split_and_nothing_else_does(tmp_path: Path) -> None:
    found = []
    for number, seed in enumerate((1, 1, 2)):
        place = tmp_path / str(number)
        place.mkdir()
        found.append(read(place, {"mine": rows(60, 20)}, seed=seed).texts("test"))
    assert found[0] == found[1]
    assert found[0] != found[2]


def test_duplicates_are_dropped_before_splitting_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    doubled = [*rows(50, 20), *rows(10, 10), ("fox number 0", "ham")]
    with caplog.at_level(logging.INFO):
        found = read(tmp_path, {"mine": doubled})
    assert found.counts == {
        "read": 61, "missing": 0, "duplicates": 11, "contradicting": 1, "left_out_files": 0,
    }  # fmt: skip
    assert "11 duplicates (1 of them with a different label)" in caplog.text
    assert sum(len(found.texts(split)) for split in SPLITS) == 50


def test_given_splits_stay_and_training_gives_up_what_the_test_split_has(tmp_path: Path) -> None:
    test = [*rows(10, 5), ("fox number 0", "spam")]
    found = read(
        tmp_path,
        {"train": rows(60, 30), "test": test},
        split={"by": "source", "validation": 0.1, "test": 0.2},
    )
    assert found.texts("test") == [text for text, _ in test]
    assert not set(found.texts("test")) & {*found.texts("train"), *found.texts("validation")}
    assert (len(found.texts("train")), len(found.texts("validation"))) == (45, 5)


def test_balancing_leaves_as_many_of_each_label(tmp_path: Path) -> None:
    found = read(tmp_path, {"mine": rows(200, 40)}, balance=True)
    for split, count in (("train", 28), ("validation", 4), ("test", 8)):
        assert Counter(example.label for example in found.splits[split]) == {"ham": count, "spam": count}


def test_label_names_give_names_and_order(tmp_path: Path) -> None:
    numbered = [(text, "1" if label == "spam" else "0") for text, label in rows(40, 20)]
    found = read(tmp_path, {"mine": numbered}, label_names={"1": "junk", "0": "fine"})
    assert found.labels == ["junk", "fine"]


@pytest.mark.parametrize(
    ("files", "changes", "says"),
    [
        (
            {"mine": rows(40, 20)},
            {"label": "topic"},
            r"mine.csv:2 of source mine has no column 'topic' \(columns: text, label\)",
        ),
        (
            {"mine": rows(40, 20)},
            {"text": "body"},
            "mine.csv:2 of source mine has no column 'body'.*set classify.text",
        ),
        (
            {"mine": [*rows(40, 20), (" ", "ham")]},
            {},
            r"1 of 41 rows lack a text or a label \(first: mine.csv:42 of",
        ),
        ({"mine": rows(40, 40)}, {}, "all 28 training examples have the label 'spam'; .* needs at least two"),
        (
            {"train": rows(40, 20), "test": [("a new one", "ham"), ("another", "offer")]},
            {"split": {"by": "source", "validation": 0.1, "test": 0.2}},
            r"test.csv:3 of source test \(test\) has the label 'offer', which no training example has; add",
        ),
        (
            {"mine": rows(40, 20)},
            {"label_names": {"ham": "ham"}},
            "mine.csv:2 of source mine has the label 'spam', but .* has only ham",
        ),
        (
            {"mine": rows(40, 20)},
            {"split": {"by": "source", "validation": 0.1, "test": 0.2}},
            "a source 'mine', but .* named train, validation, test",
        ),
        (
            {"mine": rows(40, 20)},
            {"split": {"by": "hand", "validation": 0.1, "test": 0.2}},
            "classify.split.by='hand': must be one of stratified",
        ),
        (
            {"mine": rows(40, 20)},
            {"split": {"by": "stratified", "validation": 0.5, "test": 0.5}},
            "must leave examples for",
        ),
        (
            {"mine": rows(6, 3)},
            {},
            "the split validation of mine is empty; increase classify.split.validation",
        ),
    ],
)
def test_an_invalid_row_is_named_with_the_fix(
    tmp_path: Path, files: dict[str, list[tuple[str, str]]], changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        read(tmp_path, files, **changes)


def test_sms_spam_is_read_whole(tmp_path: Path, mirror: Path) -> None:
    made = Job.of(compose(["classify=sms_spam"])).settings.classify
    fetch(made.dataset, tmp_path / "raw", mirror)
    found = read_labelled(tmp_path / "raw", made, Counter())
    assert {"read": 5574, "missing": 0, "duplicates": 403, "contradicting": 0}.items() <= found.counts.items()
    assert sum(text.startswith('"') for split in SPLITS for text in found.texts(split)) > 40


def read_json_rows(folder: Path, found: list[dict[str, Any]], **changes: Any) -> Labelled:
    """Read rows as JSON has them."""
    (folder / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in found))
    return fetched(folder, [{"name": "mine", "path": str(folder / "mine.jsonl")}], **changes)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"), (1.0, "1"), ("1.0", "1"), (0.5, "0.5"), ("v1.0", "v1.0"), (True, "true"), (False, "false"),
        (b"spam", "spam"), (" spam ", "spam"), ("NA", "NA"), ("null", "null"),
        (None, None), (float("nan"), None), ("", None), ("  ", None),
    ],
)  # fmt: skip
def test_a_label_is_one_text_whichever_way_it_was_written(value: Any, text: str | None) -> None:
    assert label_text(value) == text


@pytest.mark.parametrize("nothing", [None, float("nan"), "", " "])
def test_missing_labels_are_refused_with_their_count_or_dropped(tmp_path: Path, nothing: Any) -> None:
    found = [{"text": text, "label": label} for text, label in rows(40, 20)]
    found[7]["label"] = found[9]["label"] = nothing
    with pytest.raises(
        ValueError, match=r"2 of 40 rows lack .*first: mine\.jsonl:8 of source mine.*classify\.missing=drop"
    ):
        read_json_rows(tmp_path, found)
    again = tmp_path / "again"
    again.mkdir()
    texts = read_json_rows(again, found, missing="drop")
    assert texts.labels == ["ham", "spam"]
    assert (texts.counts["read"], texts.counts["missing"]) == (40, 2)
    assert sum(len(texts.texts(split)) for split in SPLITS) == 38


def test_space_around_a_label_does_not_count_and_case_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = [(text, f" {label} ") for text, label in rows(40, 20)]
    found += [(f"{text} again", "Ham") for text, _ in rows(20, 0)]
    texts = read(tmp_path, {"mine": found})
    assert texts.labels == ["Ham", "ham", "spam"]
    assert "the labels 'ham' (20) and 'Ham' (20) differ in case or space only" in caplog.text
    again = tmp_path / "again"
    again.mkdir()
    assert read(again, {"mine": found}, label_names={"ham": "ham", "Ham": "ham", "spam": "spam"}).labels == [
        "ham", "spam",
    ]  # fmt: skip


@pytest.mark.parametrize("labels", [(0, 1), (0.0, 1.0), ("0", "1"), (False, True)])
def test_label_names_may_be_numbers_or_booleans_as_yaml_has_them(
    tmp_path: Path, labels: tuple[Any, Any]
) -> None:
    found = [{"text": text, "label": labels[label == "spam"]} for text, label in rows(40, 20)]
    names = {labels[0]: "fine", labels[1]: "junk"}
    assert read_json_rows(tmp_path, found, label_names=names).labels == ["fine", "junk"]


def test_several_labels_a_text_are_refused_by_name(tmp_path: Path) -> None:
    found = [{"text": "one", "label": ["spam", "urgent"]}]
    with pytest.raises(
        ValueError, match=r"mine\.jsonl:1 .*of type list; several labels per text are not supported"
    ):
        read_json_rows(tmp_path, found)


def test_a_fault_in_a_folder_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "own/deep").mkdir(parents=True)
    (tmp_path / "own/a.csv").write_text("text,label\none,ham\n")
    (tmp_path / "own/deep/b.csv").write_text("text,label\ntwo,spam\nthree,\n")
    with pytest.raises(ValueError, match=r"1 of 3 rows .*first: deep/b\.csv:3 of source files"):
        fetched(tmp_path, [{"name": "files", "path": str(tmp_path / "own")}])


def test_what_reading_changed_is_counted(tmp_path: Path) -> None:
    lines = [json.dumps({"text": f"cut {n} \ud83d", "label": "ab"[n % 2]}) for n in range(40)]
    (tmp_path / "mine.jsonl").write_text("\n".join(lines))
    made = settings([{"name": "mine", "path": str(tmp_path / "mine.jsonl")}])
    fetch(made.dataset, tmp_path / "raw", None)
    changes: Counter[str] = Counter()
    found = read_labelled(tmp_path / "raw", made, changes)
    assert changes == {"changed: halves of surrogate pairs to U+FFFD": 40}
    assert all(text.endswith("\ufffd") for split in found.splits for text in found.texts(split))
