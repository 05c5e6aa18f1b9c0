"""Read files as records: stream (line, record) from txt, md, lines, jsonl, json, csv, tsv and parquet.

Compressed files (.gz, .zst) are unpacked while they are read. Memory holds one record at a time, whose length
is limited (data/limits.py). settings/datasets.py, FileFormat, has the settings.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO, get_args

from foundling.data.limits import Meter, too_long
from foundling.data.surrogates import without_surrogates
from foundling.data.tables import SAMPLE, read_table
from foundling.data.text_files import CHUNK, COMPRESSIONS, Lines, damaged, encoding_of, open_text
from foundling.settings.datasets import Format, Source

FORMATS: tuple[Format, ...] = get_args(Format)
SUFFIXES: dict[str, Format] = {
    **{name: name for name in FORMATS},
    **{"text": "txt", "rst": "txt", "markdown": "md", "mdown": "md"},
    **{"ndjson": "jsonl", "jsonlines": "jsonl", "tab": "tsv", "pq": "parquet"},
}
DELIMITERS = {"csv": ",", "tsv": "\t"}
BETWEEN_OBJECTS = re.compile(r"[\[\], \n\r\t]*")

Records = Iterator[tuple[int, dict[str, Any]]]


def read(path: Path, source: Source, tally: Counter[str] | None = None) -> Records:
    """Yield (line, record); the line is the record's last one, or its number in formats without lines.

    `tally` counts what is left out or changed, by reason.
    """
    name = source.format or format_of(path)
    if name is None:
        raise ValueError(
            f"{path.name} has no suffix of a known format; use one of {', '.join(FORMATS)}, each also with "
            f".gz or .zst, or set {source.setting('format')}"
        )
    if name == "parquet":
        yield from _parquet(path, source)
        return
    tally = Counter() if tally is None else tally
    encoding = encoding_of(path, source)
    sample = ""
    if name not in ("txt", "md", "json"):
        with open_text(path, encoding, source) as text:
            sample = text.read(SAMPLE)
    # old Mac files end their lines with \r alone
    any_line_end = name in DELIMITERS or ("\r" in sample and "\n" not in sample)
    with open_text(path, encoding, source, newline="" if any_line_end else "\n") as text:
        if name in ("txt", "md"):
            yield from _documents(path, text, source)
        elif name == "lines":
            yield from ((at, {"text": line.rstrip("\r\n")}) for at, line in _numbered(path, text, source))
        elif name == "jsonl":
            yield from without_surrogates(_jsonl(path, text, source), path, tally)
        elif name == "json":
            yield from without_surrogates(_json(path, text, source), path, tally)
        else:
            yield from read_table(Lines(path, text, source), sample, source, DELIMITERS[name], tally)


def format_of(path: Path) -> Format | None:
    """The format that a file's suffixes name, or None."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSIONS:
        suffixes.pop()
    return SUFFIXES.get(suffixes[-1][1:]) if suffixes else None


def _numbered(path: Path, text: TextIO, source: Source) -> Iterator[tuple[int, str]]:
    """Lines with their numbers, each a record."""
    lines = Lines(path, text, source)
    for line in lines:
        lines.record_length = 0
        yield lines.number, line


def _documents(path: Path, text: TextIO, source: Source) -> Records:
    """The whole text, or the texts between the separators, without the line ends next to these."""
    if not source.separator:
        whole = text.read(source.max_characters + 1)
        if len(whole) > source.max_characters:
            raise too_long(path, source)
        yield 1, {"text": whole}
        return
    rest, at = "", 0
    while chunk := text.read(CHUNK):
        *documents, rest = (rest + chunk).split(source.separator)
        for document in documents:
            at += 1
            yield at, {"text": document.strip("\r\n")}
        if len(rest) > source.max_characters:
            raise too_long(path, source, f"document {at + 1}")
    if rest.strip():
        yield at + 1, {"text": rest.strip("\r\n")}


def _jsonl(path: Path, text: TextIO, source: Source) -> Records:
    for at, line in _numbered(path, text, source):
        if line.strip():
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise ValueError(
                    f"{path}:{at} is not JSON ({error}); each line must be one object; fix it"
                ) from None
            yield at, _object(path, at, record)


def _json(path: Path, text: TextIO, source: Source) -> Records:
    """The objects of one array (or one object alone), parsed one by one as the text is read."""
    parse = json.JSONDecoder().raw_decode
    rest, at, depth, ended = "", 0, 0, False
    while not ended:
        if len(rest) > source.max_characters:
            raise too_long(path, source, f"object {at + 1}")
        chunk = text.read(max(CHUNK, len(rest)))  # a long object is parsed from its start few times
        ended = not chunk
        rest += chunk
        start = 0
        while True:
            gap = BETWEEN_OBJECTS.match(rest, start)
            assert gap is not None
            depth += gap[0].count("[") - gap[0].count("]")
            start = gap.end()
            if start == len(rest):
                break
            try:
                record, start = parse(rest, start)
            except (ValueError, RecursionError) as error:
                if not ended and rest[start] == "{" and isinstance(error, ValueError):
                    break  # its end is in the next chunk
                raise ValueError(
                    f"{path} is not JSON after its object {at} ({error}); it must be one array of objects; "
                    f"fix it"
                ) from None
            at += 1
            yield at, _object(path, at, record)
        rest = rest[start:]
    if depth:
        raise damaged(path, "its array does not end")


def _object(path: Path, at: int, record: Any) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise ValueError(
            f"{path}:{at} holds a {type(record).__name__}; it must be an object {{…}}; fix that record"
        )
    return record


def _parquet(path: Path, source: Source) -> Records:
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            meter = Meter(path, source)
            for group in range(file.metadata.num_row_groups):
                meter.add(file.metadata.row_group(group).total_byte_size)
            at = 0
            for batch in file.iter_batches(batch_size=256):  # rows; few, as a document may be long
                if batch.nbytes > 256 * source.max_characters:
                    raise too_long(path, source, f"a row after row {at}")
                for record in batch.to_pylist():
                    at += 1
                    yield at, {name: _decoded(value) for name, value in record.items()}
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError, OverflowError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise damaged(path, str(error)) from None


def _decoded(value: Any) -> Any:
    """A binary value as UTF-8 text where it is that, as Spark writes texts; others unchanged."""
    try:
        return value.decode() if isinstance(value, bytes) else value
    except UnicodeDecodeError:
        return value
