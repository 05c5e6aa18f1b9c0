"""Each format and compression reads back what was written, as a stream, and reports where a file is bad."""

import csv
import gzip
import io
import json
import logging
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from foundling.data.formats import format_of, read
from foundling.data.tables import UNNAMED
from foundling.settings.datasets import Source

ROWS = [{"text": "Zoë said\n“hi”", "label": "a,b"}, {"text": "\ttab, \"quotes\" and 'more'", "label": "ß"}]


def _table(rows: list[dict[str, str]], delimiter: str) -> str:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, ["text", "label"], delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


WRITTEN = {
    "jsonl": "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS),
    "json": json.dumps(ROWS, indent=1),
    "csv": _table(ROWS, ","),
    "tsv": _table(ROWS, "\t"),
}


def _write(path: Path, data: bytes) -> Path:
    if path.suffix == ".gz":
        data = gzip.compress(data)
    elif path.suffix == ".zst":
        import zstandard

        data = zstandard.compress(data)
    path.write_bytes(data)
    return path


def _records(path: Path, **source: Any) -> list[dict[str, Any]]:
    return [record for _, record in read(path, Source(name="test", path=str(path), **source))]


@pytest.mark.parametrize("compression", ["", ".gz", ".zst"])
@pytest.mark.parametrize("name", list(WRITTEN))
def test_records_come_back_in_each_format_and_compression(
    tmp_path: Path, name: str, compression: str
) -> None:
    path = _write(tmp_path / f"data.{name}{compression}", WRITTEN[name].encode())
    assert format_of(path) == name
    assert _records(path) == ROWS


@pytest.mark.parametrize("compression", ["", ".gz", ".zst"])
@pytest.mark.parametrize("name", ["txt", "md"])
def test_a_text_file_is_one_record_unchanged(tmp_path: Path, name: str, compression: str) -> None:
    text = "# Ünïcode\r\nline two\u2028still two\n\n"
    assert _records(_write(tmp_path / f"a.{name}{compression}", text.encode())) == [{"text": text}]


def test_lines_are_records_by_themselves(tmp_path: Path) -> None:
    path = _write(tmp_path / "train.en.gz", "A dog.\r\nTwo\u2028cats.\nno end".encode())
    assert _records(path, format="lines") == [
        {"text": "A dog."},
        {"text": "Two\u2028cats."},
        {"text": "no end"},
    ]


def test_parquet_rows_come_back(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    rows = [{"text": f"row {at}", "at": at} for at in range(1000)]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    assert _records(tmp_path / "a.parquet") == rows


def test_a_table_without_header_or_quoting_is_read_by_its_column_names(tmp_path: Path) -> None:
    path = tmp_path / "sms.tsv"
    path.write_text('ham\t"Quoted" start\nspam\tWIN a "prize\n')
    rows = _records(path, columns=("label", "text"), header=False, quoting=False)
    assert rows == [{"label": "ham", "text": '"Quoted" start'}, {"label": "spam", "text": 'WIN a "prize'}]


def test_column_names_replace_those_of_a_header(tmp_path: Path) -> None:
    path = tmp_path / "bank.csv"
    path.write_text("text,category\nhello,greeting\n")
    assert _records(path, columns=("text", "label")) == [{"text": "hello", "label": "greeting"}]


def test_a_document_may_be_a_long_csv_field_and_a_json_object_may_span_chunks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"text": "x" * 200_000, "label": "y"}] * 2
    (tmp_path / "a.csv").write_text(_table(rows, ","))
    (tmp_path / "a.json").write_text(json.dumps(rows))
    monkeypatch.setattr("foundling.data.formats.CHUNK", 1000)
    assert _records(tmp_path / "a.csv") == _records(tmp_path / "a.json") == rows


def test_a_byte_order_mark_is_no_text_and_other_encodings_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "bom.txt").write_bytes(b"\xef\xbb\xbfHi")
    (tmp_path / "wide.jsonl").write_bytes('{"text": "é"}\n{"text": "ü"}\n'.encode("utf-16"))
    assert _records(tmp_path / "bom.txt") == [{"text": "Hi"}]
    assert _records(tmp_path / "wide.jsonl", encoding="utf-16") == [{"text": "é"}, {"text": "ü"}]


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz", "txt", "jsonl.zst"])
def test_bytes_of_another_encoding_are_named_with_their_place(tmp_path: Path, suffix: str) -> None:
    good = b'{"text": "fine"}\n' * 3000
    path = _write(tmp_path / f"a.{suffix}", good + b'{"text": "caf\xe9 au lait"}\n')
    with pytest.raises(
        ValueError, match=rf"a\.{suffix} has byte 0xe9 at byte {len(good) + 13}.*errors: replace"
    ):
        _records(path)
    assert "caf\ufffd au lait" in _records(path, errors="replace")[-1]["text"]
    assert "café au lait" in _records(path, encoding="latin-1")[-1]["text"]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.jsonl", b'{"text": "a"}\n\n{"text": \n', r"a\.jsonl:3 is not JSON"),
        ("a.jsonl", b'{"text": "a"}\n["b"]\n', r"a\.jsonl:2 holds a list; it must be an object"),
        ("a.json", b'[{"text": "a"}, {"text": oops}]', r"a\.json is not JSON after its object 1"),
        ("a.json", b'[{"text": "a"}, {"text": "b"', r"a\.json is not JSON after its object 1"),
        ("a.json", b'[{"text": "a"},', r"a\.json is truncated or damaged"),
        ("a.json", b'["a", "b"]', r"a\.json:1 holds a str"),
        ("a.csv", b"a,b\n1,2\n1,2,3\n", r"a\.csv:3 has 3 fields; its columns are the 2 a, b"),
        ("a.csv", b'a,b\n1,"2', r"a\.csv:2 cannot be read.*quoting: false"),
        ("a.parquet", b"PAR1 nothing", r"a\.parquet is truncated or damaged"),
        ("a.pdf", b"", r"a\.pdf has no suffix of a known format; use one of txt, md"),
    ],
)
def test_a_bad_file_is_one_clear_error(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=message) as caught:
        _records(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_table_without_header_needs_names(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1,2\n")
    with pytest.raises(ValueError, match=r"has no header; name its columns"):
        _records(tmp_path / "a.csv", header=False)


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
@pytest.mark.parametrize("damage", ["cut", "other"])
def test_a_truncated_or_damaged_compressed_file_is_refused(tmp_path: Path, suffix: str, damage: str) -> None:
    path = _write(
        tmp_path / f"a.jsonl{suffix}", "".join(f'{{"text": "{at**9}"}}\n' for at in range(5000)).encode()
    )
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] if damage == "cut" else b"no such format" * 9)
    with pytest.raises(ValueError, match=rf"a\.jsonl{suffix} is truncated or damaged"):
        _records(path)


def test_a_file_of_several_packed_parts_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"text": "a"}\n') + gzip.compress(b'{"text": "b"}\n'))
    assert len(_records(path)) == 2


def test_a_large_file_is_streamed(tmp_path: Path) -> None:
    path = tmp_path / "big.jsonl.gz"
    line = json.dumps({"text": "word " * 1000}) + "\n"
    with gzip.open(path, "wt", compresslevel=1) as file:
        for _ in range(6000):  # 30 MB of text
            file.write(line)
    next(read(path, Source(name="test", path="x")))  # imports are not what is measured
    tracemalloc.start()
    characters = sum(len(record["text"]) for _, record in read(path, Source(name="test", path="x")))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert characters == 30_000_000
    assert peak < 1_000_000


ANNA = [{"text": "Hi, Anna", "label": "ham"}, {"text": "Win; now", "label": "spam"}]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_the_delimiter_is_found(tmp_path: Path, name: str, delimiter: str) -> None:
    (tmp_path / name).write_text(_table(ANNA, delimiter))
    assert _records(tmp_path / name) == ANNA


def test_the_delimiter_is_found_although_texts_hold_others_unquoted(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text;label\nHi, Anna;ham\nOne, two, three;ham\n")
    assert _records(tmp_path / "a.csv") == [
        {"text": "Hi, Anna", "label": "ham"}, {"text": "One, two, three", "label": "ham"},
    ]  # fmt: skip


@pytest.mark.parametrize("setting", ["|", "\\t", "tab"])
def test_the_delimiter_that_is_set_is_used(tmp_path: Path, setting: str) -> None:
    delimiter = "|" if setting == "|" else "\t"
    (tmp_path / "a.csv").write_text(f"a,b{delimiter}c,d\n1,2{delimiter}3,4\n")
    assert _records(tmp_path / "a.csv", delimiter=setting) == [{"a,b": "1,2", "c,d": "3,4"}]


def test_excels_first_line_names_the_delimiter_and_is_no_row(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"sep=;\r\ntext;label\r\nHi, Anna;ham\r\n")
    assert list(read(tmp_path / "a.csv", Source(name="test", path="x"))) == [
        (3, {"text": "Hi, Anna", "label": "ham"})
    ]


def test_columns_without_a_name_are_left_out_and_their_values_counted(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("v1,v2,,\nham,one,,\nspam,two,more,\n")
    tally: Counter[str] = Counter()
    found = [record for _, record in read(tmp_path / "a.csv", Source(name="test", path="x"), tally)]
    assert found == [{"v1": "ham", "v2": "one"}, {"v1": "spam", "v2": "two"}]
    assert tally == {UNNAMED: 1}


def test_a_row_may_end_with_a_delimiter_and_a_name_with_a_space(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text, label\nHi,ham,\n")
    assert _records(tmp_path / "a.csv") == [{"text": "Hi", "label": "ham"}]


@pytest.mark.parametrize(
    ("name", "ends"), [("a.csv", "\r"), ("a.csv", "\r\n"), ("a.jsonl", "\r"), ("a.lines", "\r")]
)
def test_line_ends_of_old_macs_and_windows_are_read(tmp_path: Path, name: str, ends: str) -> None:
    lines = {
        "a.csv": ["text", "one", "two"],
        "a.jsonl": ['{"text": "one"}', '{"text": "two"}'],
        "a.lines": ["one", "two"],
    }
    (tmp_path / name).write_bytes((ends.join(lines[name]) + ends).encode())
    assert _records(tmp_path / name, format="lines" if name == "a.lines" else None) == [
        {"text": "one"},
        {"text": "two"},
    ]


def test_texts_that_pandas_takes_for_missing_stay_texts(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\nnull,NA\nNaN,None\n")
    assert _records(tmp_path / "a.csv") == [{"text": "null", "label": "NA"}, {"text": "NaN", "label": "None"}]


def test_a_stray_quote_that_would_join_rows_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text('label\ttext\nham\t"Hello there\nspam\t"bye" now\n')
    with pytest.raises(ValueError, match=r"a\.tsv:3 cannot be read .* set classify\.quoting=false"):
        _records(tmp_path / "a.tsv", settings="classify")


ENCODED = {
    "utf-8": "Zoë",
    "utf-8-sig": "Zoë",
    "utf-16": "Zoë",
    "utf-16-le": "Zoë pays more",
    "cp1252": "It costs £5 – Zoë",
    "cp1251": "Привет, как дела? Сегодня хорошая погода, идем гулять в парк.",
    "shift_jis": "日本語のテキストです。今日は良い天気",
}


@pytest.mark.parametrize("compression", ["", ".gz"])
@pytest.mark.parametrize("encoding", ENCODED)
def test_the_encoding_is_detected_and_logged(
    tmp_path: Path, encoding: str, compression: str, caplog: pytest.LogCaptureFixture
) -> None:
    text = ENCODED[encoding]
    path = _write(tmp_path / f"a.jsonl{compression}", (f'{{"text": "{text}"}}\n' * 3).encode(encoding))
    with caplog.at_level(logging.INFO):
        assert _records(path, encoding="auto", settings="corpus") == [{"text": text}] * 3
    assert ("is not UTF-8" in caplog.text) == (not encoding.startswith("utf-8"))
    assert ("set corpus.encoding" in caplog.text) == (not encoding.startswith("utf-8"))


def test_damaged_utf_8_is_not_taken_for_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("Zoë naïve café ".encode() * 5 + b"caf\xe9 ")
    with pytest.raises(
        ValueError, match=r"0xe9 at byte 93, .* set corpus\.encoding .*corpus\.errors=replace"
    ):
        _records(tmp_path / "a.txt", encoding="auto", settings="corpus")
    replaced = _records(tmp_path / "a.txt", encoding="auto", errors="replace")
    assert replaced[0]["text"].endswith("café caf\ufffd ")


def test_binary_columns_are_the_texts_that_spark_wrote(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.table({"text": ["Zoë".encode(), b"Hi"], "image": [b"\xff\xd8", None]})
    parquet.write_table(table, tmp_path / "a.parquet")
    assert _records(tmp_path / "a.parquet") == [
        {"text": "Zoë", "image": b"\xff\xd8"},
        {"text": "Hi", "image": None},
    ]


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("a.TXT", "txt"), ("a.text", "txt"), ("a.rst", "txt"), ("a.markdown", "md"), ("a.ndjson", "jsonl"),
        ("a.JSONL.GZ", "jsonl"), ("a.Parquet", "parquet"), ("a.tab", "tsv"), ("a.png", None), ("txt", None),
    ],
)  # fmt: skip
def test_a_suffix_selects_the_format_in_any_case(name: str, format: str | None) -> None:
    assert format_of(Path(name)) == format


STORIES = "Once upon a time.\n\nThe end.\n<|endoftext|>\nA second.\n<|endoftext|>\n<|endoftext|>\nLast\n"


@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
def test_a_separator_parts_a_text_into_documents(
    tmp_path: Path, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("foundling.data.formats.CHUNK", chunk)
    (tmp_path / "a.txt").write_text(STORIES)
    found = [record["text"] for record in _records(tmp_path / "a.txt", separator="<|endoftext|>")]
    assert found == ["Once upon a time.\n\nThe end.", "A second.", "", "Last"]
    assert _records(tmp_path / "a.txt") == [{"text": STORIES}]
    blank = [record["text"] for record in _records(tmp_path / "a.txt", separator="\\n\\n")]
    assert blank[0] == "Once upon a time."


def test_a_document_between_separators_may_not_be_too_long(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("short<|endoftext|>" + "x" * 20_000)
    with pytest.raises(
        ValueError, match=r"more than 10,000 characters \(document 2\).*corpus\.record_megabytes"
    ):
        _records(tmp_path / "a.txt", separator="<|endoftext|>", record_megabytes=0.01, settings="corpus")
