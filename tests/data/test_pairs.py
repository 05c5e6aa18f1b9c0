"""Sentence pairs are read from records and from parallel files; errors name the incomplete pair."""

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foundling.data.fetching import fetch
from foundling.data.pairs import Pair, sentence_pairs
from foundling.data.splits import TEST, TRAIN, VALIDATION, choose

Read = Callable[..., dict[str, list[Pair]]]
ROWS = [{"en": f"say {n}", "de": f"sag {n}", "id": n} for n in range(40)]


@pytest.fixture
def read(job: Any, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """Compose a choice of conf/train_translator in a folder of its own, fetch, read."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf").symlink_to(root / "conf")

    def run(*choices: str) -> dict[str, list[Pair]]:
        settings = job(*choices).settings.train_translator
        shutil.rmtree(tmp_path / "raw", ignore_errors=True)
        fetch(settings.dataset, tmp_path / "raw", None)
        return sentence_pairs(tmp_path / "raw", settings, Counter())

    return run


def write(name: str, *lines: str) -> None:
    Path(name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def texts(splits: dict[str, list[Pair]]) -> list[tuple[str, str]]:
    return sorted((pair.source, pair.target) for those in splits.values() for pair in those)


EXPECTED = sorted((row["en"], row["de"]) for row in ROWS)


def test_records_columns_and_parallel_files_give_the_same_pairs(read: Read) -> None:
    write("mine.jsonl", *(json.dumps(row) for row in ROWS))
    write("mine.csv", "de,en", *(f'"{row["de"]}",{row["en"]}' for row in ROWS))
    write("mine.tsv", *(f"{row['en']}\t{row['de']}" for row in ROWS))
    write("mine.en", *(row["en"] for row in ROWS))
    write("mine.de", *(row["de"] for row in ROWS))
    fields = [
        "train_translator=files",
        "train_translator.fields.source=en",
        "train_translator.fields.target=de",
    ]
    for choices in (
        [*fields, "train_translator.path=mine.jsonl"],
        [*fields, "train_translator.path=mine.csv"],
        ["train_translator=tsv", "train_translator.path=mine.tsv"],
        [
            "train_translator=parallel",
            "train_translator.source_path=mine.en",
            "train_translator.target_path=mine.de",
        ],
    ):
        splits = read(*choices)
        assert texts(splits) == EXPECTED
        assert {name: len(those) for name, those in splits.items()} == {TEST: 2, VALIDATION: 2, TRAIN: 36}


def test_quote_marks_in_a_tsv_are_plain_text_and_spaces_are_one(read: Read) -> None:
    write("mine.tsv", *(f'"Go  {n}!" he said\tGeh {n} ' for n in range(30)))
    assert ('"Go 3!" he said', "Geh 3") in texts(
        read("train_translator=tsv", "train_translator.path=mine.tsv")
    )


def test_fables_pairs_keep_their_splits_and_speak_either_language(read: Read) -> None:
    small = [f"train_translator.dataset.sources.{i}.generate.count=60" for i in range(3)]
    german, french = read(*small), read(*small, "train_translator.language=french")
    assert {len(those) for those in german.values()} == {60}
    assert [pair.source for pair in german[TEST]] == [pair.source for pair in french[TEST]]
    assert not {pair.source for pair in german[TRAIN]} & {pair.source for pair in german[TEST]}
    assert german[TEST] != french[TEST]


def test_pairs_with_an_empty_side_are_left_out_and_counted(
    read: Read, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    write("mine.en", "", *(row["en"] for row in ROWS))
    write("mine.de", "leer", *(row["de"] for row in ROWS))
    splits = read(
        "train_translator=parallel",
        "train_translator.source_path=mine.en",
        "train_translator.target_path=mine.de",
    )
    assert texts(splits) == EXPECTED
    assert "1 of 41 pairs have an empty side" in caplog.text


def test_training_has_no_source_of_validation_and_test(read: Read, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    write("mine.tsv", *(f"say {n % 10}\tsag {n}" for n in range(40)))
    splits = read("train_translator=tsv", "train_translator.path=mine.tsv", "train_translator.split.test=0.1")
    held_out = {pair.source for name in (VALIDATION, TEST) for pair in splits[name]}
    assert not held_out & {pair.source for pair in splits[TRAIN]}
    assert "left out of train" in caplog.text


def test_files_of_unequal_length_are_refused(read: Read) -> None:
    write("mine.en", "one", "two")
    write("mine.de", "eins")
    with pytest.raises(ValueError, match=r"mine\.source has 2 lines and mine\.target 1; fix the files"):
        read(
            "train_translator=parallel",
            "train_translator.source_path=mine.en",
            "train_translator.target_path=mine.de",
        )


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (
            {"en": "go"},
            r"mine.jsonl:2 of source files has no text 'de' \(its fields: en\); set "
            r"train_translator\.fields\.target",
        ),
        (
            {"en": 3, "de": "geh"},
            r"mine.jsonl:2 of source files has no text 'en' .* set train_translator\.fields\.source",
        ),
    ],
)
def test_a_row_without_its_texts_raises_an_error(read: Read, row: dict[str, Any], says: str) -> None:
    write("mine.jsonl", *(json.dumps(each) for each in (ROWS[0], row, *ROWS)))
    with pytest.raises(ValueError, match=says):
        read(
            "train_translator=files",
            "train_translator.path=mine.jsonl",
            "train_translator.fields.source=en",
            "train_translator.fields.target=de",
        )


def test_parallel_sources_without_their_suffixes_are_refused(read: Read) -> None:
    write("mine.en", *(row["en"] for row in ROWS))
    with pytest.raises(ValueError, match=r"needs pairs such as mine\.english and mine\.target"):
        read(
            "train_translator=parallel",
            "train_translator.source_path=mine.en",
            "train_translator.target_path=mine.en",
            "train_translator.parallel.source=english",
        )


def test_examples_are_chosen_by_the_seed() -> None:
    examples = list(range(50))
    first, same, other = (choose(examples, 10, seed) for seed in (1, 1, 2))
    assert first == same != other
    assert first == sorted(first)
    assert choose(examples, None, 1) == choose(examples, 99, 1) == examples


def test_multi30k_reads_as_published(job: Any, mirror: Path, tmp_path: Path) -> None:
    settings = job("train_translator=multi30k").settings.train_translator
    fetch(settings.dataset, tmp_path / "raw", mirror)
    splits = sentence_pairs(tmp_path / "raw", settings, Counter())
    assert (len(splits[VALIDATION]), len(splits[TEST])) == (1014, 1000)
    assert 28_900 < len(splits[TRAIN]) <= 29_000
    assert splits[TEST][0].source == "A man in an orange hat starring at something."
