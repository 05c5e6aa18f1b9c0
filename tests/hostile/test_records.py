"""Malicious data files end in one line that names file and row, with bounded memory."""

import gzip
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foundling.data.formats import read
from foundling.settings.datasets import Source
from foundling.text.tiktoken_tokenizer import GPT2_PATTERN, TiktokenTokenizer
from foundling.text.tokenizer import END_OF_TEXT

SMALL = {"record_megabytes": 0.01}
DEEP = 100_000


def write(folder: Path, name: str, data: bytes) -> Path:
    if name.endswith(".gz"):
        data = gzip.compress(data, compresslevel=1)
    if name.endswith(".zst"):
        import zstandard

        data = zstandard.compress(data)
    (folder / name).write_bytes(data)
    return folder / name


def drain(path: Path, **source: Any) -> int:
    return sum(1 for _ in read(path, Source(name="test", path=str(path), **source)))


LONG = b"x" * 20_000
TOO_LONG = {
    "a line of JSON": ("a.jsonl", b'{"text": "' + LONG + b'"}'),
    "a line without an end": ("a.jsonl", LONG),
    "a line of text": ("a.lines", b"short\n" + LONG),
    "a text": ("a.txt", LONG),
    "a Markdown text": ("a.md", LONG),
    "an object of an array": ("a.json", b'[{"text": "' + LONG * 200 + b'"}]'),
    "an object that never ends": ("a.json", b'[{"text": "a", "b": {"c": "' + LONG * 200),
    "a row": ("a.csv", b"a,b\n1," + LONG),
    "a field in quotes over many lines": ("a.csv", b'a,b\n1,"' + b"line\n" * 9_000),
    "a row of fields that each end on another line": ("a.csv", b'a,b\n"' + b'x\n","' * 9_000),
    "a header": ("a.tsv", b"column\t" * 9_000),
}


@pytest.mark.parametrize("packing", ["", ".gz", ".zst"])
@pytest.mark.parametrize("what", TOO_LONG)
def test_what_is_too_long(tmp_path: Path, refuses, what: str, packing: str) -> None:
    name, data = TOO_LONG[what]
    path = write(tmp_path, name + packing, data)
    source = SMALL | ({"format": "lines"} if "lines" in name else {})
    tracemalloc.start()
    line = refuses(lambda: drain(path, **source), "more than 10,000 characters|field larger than field limit")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "record_megabytes" in line or "quoting" in line
    assert peak < 40_000_000


def test_a_line_of_a_gigabyte_takes_no_gigabyte(tmp_path: Path, refuses) -> None:
    with gzip.open(tmp_path / "a.jsonl.gz", "wb", compresslevel=1) as file:
        file.write(b'{"text": "')
        for _ in range(60):  # as many as are read before the line is found to be too long, and more
            file.write(b"x" * (1 << 20))
    refuses(
        lambda: drain(tmp_path / "a.jsonl.gz", record_megabytes=30), "more than 30,000,000 characters .line 1"
    )


@pytest.mark.parametrize("packing", [".gz", ".zst"])
def test_a_bomb_of_short_lines(
    tmp_path: Path, refuses, packing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("foundling.data.limits.FREE_BYTES", 100_000)
    path = write(tmp_path, f"a.jsonl{packing}", (b'{"text": "' + b"a" * 3000 + b'"}\n') * 400)
    refuses(
        lambda: drain(path, unpacked_ratio=20),
        "unpacks to more than .* increase `unpacked_ratio` of its source",
    )
    assert drain(path, unpacked_ratio=1e6) == 400


BAD = {
    "arrays in arrays": ("a.jsonl", b'{"text": ' + b"[" * DEEP + b"]" * DEEP + b"}", "recursion"),
    "objects in objects": ("a.jsonl", b'{"a":' * DEEP + b"1" + b"}" * DEEP, "recursion"),
    "objects in objects of an array": (
        "a.json",
        b"[" + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"]",
        "recursion",
    ),
    "brackets alone": ("a.json", b"[" * DEEP, "truncated or damaged"),
    "a number of many digits": ("a.jsonl", b'{"n": ' + b"9" * 5000 + b"}", "not JSON"),
    "a row that is a list": ("a.jsonl", b'["a"]\n', "holds a list"),
    "a row that is a text": ("a.jsonl", b'"a"\n', "holds a str"),
    "a row that is a number": ("a.jsonl", b"5\n", "holds a int"),
    "a row that is null": ("a.jsonl", b"null\n", "holds a NoneType"),
    "a row that is true": ("a.jsonl", b"true\n", "holds a bool"),
    "an array of texts": ("a.json", b'["a"]', "holds a str"),
    "an array of arrays": ("a.json", b"[[1]]", "holds a int"),
    "a row that is cut": ("a.jsonl", b'{"text": "a"}\n{"te', "a.jsonl:2 is not JSON"),
    "two objects in a row": ("a.jsonl", b'{"a": 1}{"b": 2}\n', "not JSON"),
    "single quotes": ("a.jsonl", b"{'text': 'a'}\n", "not JSON"),
    "a comment": ("a.json", b"// none\n[]", "not JSON"),
    "code": ("a.json", b"__import__('os')", "not JSON"),
    "bytes that are no UTF-8": ("a.jsonl", b'{"text": "\xff\xfe"}\n', "0xff at byte 10"),
    "a cut character": ("a.txt", b"caf\xc3", "0xc3 at byte 3"),
    "a character of five bytes": ("a.txt", b"\xf8\x88\x80\x80\x80", "0xf8"),
    "a slash of two bytes": ("a.txt", b"a\xc0\xafb", "0xc0"),
    "half of a pair in UTF-8": ("a.txt", b"\xed\xa0\x80", "0xed"),
    "zeros in JSON": ("a.jsonl", b'\0\0{"text": "a"}\n', "not JSON"),
    "UTF-16": ("a.jsonl", '{"text": "a"}\n'.encode("utf-16"), "0xff at byte 0"),
    "quotes that do not end": ("a.csv", b'a,b\n1,"2\n', "cannot be read"),
    "quotes behind quotes": ("a.csv", b'a,b\n"1"x,2\n', "cannot be read"),
    "too many fields": ("a.csv", b"a,b\n1,2,3\n", "has 3 fields"),
    "very many fields": ("a.csv", b"a,b\n" + b"," * 90_000, "has 90001 fields"),
    "too few fields": ("a.tsv", b"a\tb\n1\n", "has 1 fields"),
    "a column twice": ("a.csv", b"text,text\n1,2\n", "names a column twice"),
    "very many columns": ("a.csv", b",".join(b"c%d" % i for i in range(9000)) + b"\n1\n", "and 8,988 more"),
    "parquet without an end": ("a.parquet", b"PAR1" + b"x" * 100, "truncated or damaged"),
    "parquet whose footer is longer than it": (
        "a.parquet",
        b"PAR1" + b"\xff\xff\xff\x7fPAR1",
        "truncated or damaged",
    ),
    "an empty parquet": ("a.parquet", b"", "truncated or damaged"),
    "gzip that is none": ("a.jsonl.gz", None, "truncated or damaged"),
    "a zip called parquet": ("a.parquet", b"PK\x03\x04" + b"x" * 90, "truncated or damaged"),
    "a pickle called jsonl": ("a.jsonl", b"\x80\x04cos\nsystem\n(S'true'\ntR.", "0x80 at byte 0"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_file_whose_content_contradicts_its_suffix(tmp_path: Path, refuses, what: str) -> None:
    name, data, says = BAD[what]
    path = tmp_path / name
    path.write_bytes(b"no gzip at all" if data is None else data)
    refuses(lambda: drain(path), says)


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.tsv"])
def test_an_empty_file_has_no_records(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    assert drain(tmp_path / name) == 0


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    path = tmp_path_factory.mktemp("table") / "a.parquet"
    parquet.write_table(pa.table({"text": [f"row {at}" for at in range(300)], "n": list(range(300))}), path)
    return path.read_bytes()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_cut_parquet(tmp_path: Path, refuses, table: bytes, share: float) -> None:
    (tmp_path / "a.parquet").write_bytes(table[: int(len(table) * share)])
    refuses(lambda: drain(tmp_path / "a.parquet"), "is truncated or damaged")


def test_a_parquet_that_unpacks_without_end(tmp_path: Path, refuses, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    monkeypatch.setattr("foundling.data.limits.FREE_BYTES", 100_000)
    rows = ["x" * 1000 + str(i) for i in range(20_000)]
    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"text": rows}), path, compression="zstd", use_dictionary=False)
    refuses(lambda: drain(path), "unpacks to more than")


SPECIAL_TEXTS = [
    END_OF_TEXT,
    f"a{END_OF_TEXT}b",
    "<|user|>hi<|end|>",
    f"{END_OF_TEXT * 3}",
    "<|endoftext",
    "\ufeff\u202e",
]


@pytest.mark.parametrize("text", SPECIAL_TEXTS)
def test_a_text_is_never_a_special_token(text: str) -> None:
    tokenizer = TiktokenTokenizer(
        {bytes([i]): i for i in range(256)}, GPT2_PATTERN, [END_OF_TEXT, "<|user|>", "<|end|>"]
    )
    ids = tokenizer.encode(text)
    assert not set(ids) & set(tokenizer.special_ids.values())
    assert tokenizer.decode(ids) == text


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["a.jsonl", "a.json", "a.csv", "a.tsv", "a.txt", "a.jsonl.gz", "a.jsonl.zst"]),
    st.binary(max_size=300),
)
def test_any_bytes_are_records_or_one_clear_error(
    tmp_path: Path, read_or_refused, name: str, data: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with read_or_refused(name):
        assert all(isinstance(record, dict) for _, record in read(path, Source(name="test", path="x")))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["a.jsonl", "a.json", "a.csv"]),
    st.text(st.sampled_from('{}[]",:0a\n\\u\x00 d8'), max_size=120),
)
def test_any_punctuation_is_records_or_one_clear_error(
    tmp_path: Path, read_or_refused, name: str, text: str
) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8", newline="")
    with read_or_refused(name):
        for _, record in read(path, Source(name="test", path="x", record_megabytes=0.00005)):
            json.dumps(record)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=6))
def test_any_damage_of_a_parquet_is_rows_or_one_clear_error(
    tmp_path: Path, read_or_refused, table: bytes, damage: list[tuple[int, int]]
) -> None:
    data = bytearray(table)
    for at, value in damage:
        data[at % len(data)] = value
    (tmp_path / "a.parquet").write_bytes(data)
    with read_or_refused("a.parquet"):
        drain(tmp_path / "a.parquet")
