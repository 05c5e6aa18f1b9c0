"""Documents are clean, unique and stable in their split, and no corpus is silently empty."""

import json
import random
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foundling.data.corpora import Count, Tally, clean, cut, documents
from foundling.data.fetching import fetch
from foundling.metrics.data import Change
from foundling.settings.datasets import Corpus
from foundling.validation import build

SETTINGS = {"name": "test", "clean": {"min_characters": 1, "deduplicate": True}}
SPLIT = {"validation": 0.1, "by": "document"}


def _corpus(tmp_path: Path, texts: dict[str, list[str]], **changes: Any) -> tuple[Path, Corpus]:
    """A fetched corpus, one source for each list of texts."""
    sources = []
    for name, rows in texts.items():
        path = tmp_path / f"{name}.jsonl"
        path.write_text("".join(json.dumps({"text": text}) + "\n" for text in rows))
        sources.append({"name": name, "path": str(path)})
    return _fetched(tmp_path, sources, **changes)


def _fetched(tmp_path: Path, sources: list[dict[str, Any]], **changes: Any) -> tuple[Path, Corpus]:
    corpus = build(Corpus, {**SETTINGS, "split": SPLIT, "sources": sources, **changes}, "corpus")
    folder = tmp_path / f"raw{random.random()}"
    fetch(corpus, folder, None)
    return folder, corpus


def _sides(tmp_path: Path, texts: list[str]) -> dict[str, str]:
    return {document.text: document.split for document in documents(*_corpus(tmp_path, {"a": texts}))}


@given(st.text())
def test_clean_text_is_normal_and_stays_as_it_is(text: str) -> None:
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    assert unicodedata.is_normalized("NFC", cleaned)
    assert all(char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cs") for char in cleaned)
    cleaned.encode()


def test_cleaning_keeps_what_is_text() -> None:
    assert clean("a\r\nb\rc\x00\x07\x85d\te\u0301 \u200d\n") == "a\nb\ncd\t\xe9 \u200d\n"
    assert clean(json.loads('"half \\ud83d pair, whole \\ud83d\\ude00"')) == "half  pair, whole \U0001f600"


@settings(max_examples=20, deadline=None)
@given(st.sets(st.integers(0, 10**6), min_size=120, max_size=200), st.randoms(use_true_random=False))
def test_adding_documents_moves_none_between_the_splits(
    tmp_path_factory: pytest.TempPathFactory, numbers: set[int], rng: random.Random
) -> None:
    texts = [f"story number {number}" for number in sorted(numbers)]
    before = _sides(tmp_path_factory.mktemp("before"), texts[:100])
    rng.shuffle(texts)
    after = _sides(tmp_path_factory.mktemp("after"), texts)
    assert all(after[text] == side for text, side in before.items())


def test_the_validation_share_is_as_asked(tmp_path: Path) -> None:
    sides = _sides(tmp_path, [f"document {at}" for at in range(4000)])
    assert 0.08 < list(sides.values()).count("validation") / len(sides) < 0.12


def test_a_corpus_of_one_document_is_cut_where_nanogpt_cuts(tmp_path: Path) -> None:
    text = "".join(map(str, range(1001)))
    train, validation = documents(*_corpus(tmp_path, {"a": [text]}))
    assert (train.split, train.text) == ("train", text[: int(len(text) * 0.9)])
    assert (validation.split, train.text + validation.text) == ("validation", text)


@given(st.text(min_size=2), st.floats(0.01, 0.99))
def test_a_cut_loses_nothing(text: str, share: float) -> None:
    assert "".join(cut(text, share)) == text


def test_by_position_each_document_gives_its_last_part(tmp_path: Path) -> None:
    by_position = {"validation": 0.1, "by": "position"}
    found = list(documents(*_corpus(tmp_path, {"a": ["a" * 100, "b" * 100]}, split=by_position)))
    assert [(d.split, d.text[0], len(d.text)) for d in found] == [
        ("train", "a", 90), ("validation", "a", 10), ("train", "b", 90), ("validation", "b", 10),
    ]  # fmt: skip


def test_texts_are_deduplicated_across_sources_and_short_ones_left_out(tmp_path: Path) -> None:
    many = [f"text {at}" for at in range(50)]
    texts = {"a": ["e\u0301!", *many, "é!", "x"], "b": ["é!", "only here", *many]}
    found = list(documents(*_corpus(tmp_path, texts, clean={"min_characters": 2, "deduplicate": True})))
    assert len(found) == 50 + 1 + 2  # the last, alone in its source, is cut in two
    assert {d.source for d in found if "text" in d.text} == {"a"}
    twice = list(documents(*_corpus(tmp_path, texts, clean={"min_characters": 1, "deduplicate": False})))
    assert len(twice) == 53 + 52


def test_lines_are_joined_to_documents(tmp_path: Path) -> None:
    lines = [
        x for at in range(60) for x in (f" = Title {at} = \n", "", " = = Part = = \n", f" Text {at}. \n")
    ]
    folder, corpus = _corpus(tmp_path, {"wiki": lines})
    source = replace(corpus.sources[0], begins="^ = [^=]")
    found = list(documents(folder, replace(corpus, sources=(source,))))
    assert len(found) == 60
    assert found[0].text == " = Title 0 = \n = = Part = = \n Text 0. \n"


def test_an_empty_corpus_and_an_empty_side_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"source b of corpus test has no new document.*add text to it"):
        list(documents(*_corpus(tmp_path, {"a": ["some text"], "b": ["", "\x00"]})))
    with pytest.raises(
        ValueError, match=r"none of the 2 documents of corpus test fell into validation.*by=position"
    ):
        split = {"validation": 1e-9, "by": "document"}
        list(documents(*_corpus(tmp_path, {"a": ["one text", "another"]}, split=split)))


def test_a_count_adds_up() -> None:
    count = Count()
    count.add("Zoë said hi.", 4)
    count.add("one\n two", 3)
    assert count == Count(documents=2, characters=20, words=5, bytes=21, tokens=7)


def test_memory_holds_a_digest_a_document(tmp_path: Path) -> None:
    import tracemalloc

    folder, corpus = _corpus(tmp_path, {"a": [f"{at} " + "text " * 1000 for at in range(4000)]})
    tracemalloc.start()
    characters = sum(len(document.text) for document in documents(folder, corpus))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert characters > 20_000_000
    assert peak < 1_500_000


def test_what_is_left_out_or_changed_is_counted_by_reason(tmp_path: Path) -> None:
    many = [f"text {at}" for at in range(50)]
    texts = [
        "",
        "x",
        "text 1",
        "text 2",
        "a\r\nb",
        "c\x00\x07d",
        "e\u0301e",
        "two <|endoftext|> in <|endoftext|> one",
    ]
    folder, corpus = _corpus(tmp_path, {"a": many + texts}, clean={"min_characters": 2, "deduplicate": True})
    tally = Tally()
    kept = list(documents(folder, corpus, tally))
    assert {row.reason: (row.documents, row.characters) for row in tally.changes()} == {
        "left out: empty": (1, 0),
        "left out: shorter than clean.min_characters": (1, 1),
        "left out: duplicate": (2, 12),
        r"changed: line ends to \n": (1, 1),
        "changed: control characters removed": (1, 2),
        "changed: to Unicode NFC": (1, 1),
        "kept: <|endoftext|> as text": (1, 26),
    }
    assert len(kept) + 4 == len(many + texts)


def test_lines_that_repeat_are_kept_and_counted(tmp_path: Path) -> None:
    lines = [f"line {at}" for at in range(60)] + ["la la la"] * 9
    (tmp_path / "songs.txt").write_text("\n".join(lines))
    songs = {"name": "songs", "path": str(tmp_path / "songs.txt"), "format": "lines"}
    tally = Tally()
    assert [document.text for document in documents(*_fetched(tmp_path, [songs]), tally)] == lines
    assert tally.changes() == (
        Change(source="songs", reason="kept: repeated lines", documents=8, characters=64),
    )


def test_bytes_that_were_replaced_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"caf\xe9 and th\xe9 " * 20)
    tally = Tally()
    list(
        documents(
            *_fetched(tmp_path, [{"name": "a", "path": str(tmp_path / "a.txt"), "errors": "replace"}]), tally
        )
    )
    assert [(row.reason, row.characters) for row in tally.changes()] == [
        ("changed: undecodable bytes to U+FFFD", 40)
    ]
