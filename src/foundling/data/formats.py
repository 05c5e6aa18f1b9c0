"""Files to records: read(path, source) streams (line, record) out of txt, md, lines, jsonl, json, csv, tsv and parquet.

Compressed files (.gz, .zst) are unpacked while they are read; nothing but txt and md, whose record is the whole file,
is held in memory. `source` is the part of a dataset config that says how its files are written:

    format    one of FORMATS; without it, the suffix says it
    header    csv, tsv: whether the first row names the columns (true)
    columns   csv, tsv: names for the columns; needed where there is no header
    quoting   csv, tsv: whether a field may stand in double quotes (true)
    encoding  of text files (utf-8); `errors: replace` reads what is not of that encoding as U+FFFD
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TextIO

FORMATS = ("txt", "md", "lines", "jsonl", "json", "csv", "tsv", "parquet")
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
CHUNK = 1 << 20  # characters of a JSON file read at once


def read(path: Path, source: Mapping[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line, record); the line is that of the record's end, or its number in formats without lines."""
    name = source.get("format") or format_of(path)
    if name not in FORMATS:
        raise ValueError(
            f"found {path.name} of format {name}; allowed are {', '.join(FORMATS)}, with .gz or .zst behind; "
            "rename it or set `format` of its source"
        )
    if name == "parquet":
        yield from _parquet(path)
        return
    with open_text(path, source.get("encoding") or "utf-8", source.get("errors") or "strict") as text:
        if name in ("txt", "md"):
            yield 1, {"text": text.read()}
        elif name == "lines":
            yield from ((at, {"text": line.rstrip("\r\n")}) for at, line in enumerate(text, 1))
        elif name == "jsonl":
            yield from _jsonl(path, text)
        elif name == "json":
            yield from _json(path, text)
        else:
            yield from _rows(path, text, source, "\t" if name == "tsv" else ",")


def format_of(path: Path) -> str | None:
    """The format that a file's suffixes say, or None."""
    suffixes = path.suffixes
    if suffixes and suffixes[-1] in COMPRESSIONS:
        suffixes.pop()
    name = suffixes[-1][1:].lower() if suffixes else None
    return name if name in FORMATS else None


def open_bytes(path: Path) -> BinaryIO:
    """A file's bytes, unpacked on the fly if its last suffix is one of COMPRESSIONS."""
    if path.suffix not in COMPRESSIONS:
        return open(path, "rb")
    import pyarrow  # unlike gzip and zstandard, it notices each file that is cut

    return pyarrow.CompressedInputStream(pyarrow.OSFile(str(path)), COMPRESSIONS[path.suffix])


@contextmanager
def open_text(path: Path, encoding: str = "utf-8", errors: str = "strict") -> Iterator[TextIO]:
    """A file's characters, unpacked; line ends stay as they are. What cannot be decoded is named with its byte."""
    # a file that Windows wrote may begin with a byte order mark, which is no text
    encoding = "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding
    with open_bytes(path) as packed:
        counted = _Counted(packed)
        try:
            yield io.TextIOWrapper(counted, encoding, errors, newline="\n")  # type: ignore[type-var]
        except UnicodeDecodeError as error:
            # the decoder's input ends where the reading stands
            offset = counted.given - len(error.object) + error.start
            raise ValueError(
                f"found byte 0x{error.object[error.start]:02x} at byte {offset} of {path}, no {error.encoding}; "
                "set `encoding` of its source to the file's own (as latin-1), or `errors: replace`"
            ) from None
        except LookupError:
            raise ValueError(
                f"found encoding {encoding!r} for {path}; allowed are those of Python; try utf-8"
            ) from None
        except OSError as error:
            if path.suffix in COMPRESSIONS and error.errno is None:  # pyarrow's, not the system's
                raise _damaged(path, str(error)) from None
            raise


def _jsonl(path: Path, text: TextIO) -> Iterator[tuple[int, dict[str, Any]]]:
    for at, line in enumerate(text, 1):
        if line.strip():
            try:
                record = json.loads(line)
            except ValueError as error:
                raise ValueError(f"{path}:{at} is no JSON ({error}); each line must be one object; mend it") from None
            yield at, _object(path, at, record)


def _json(path: Path, text: TextIO) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of one array (or one object alone), parsed one by one as the text comes in."""
    parse = json.JSONDecoder().raw_decode
    waiting, at, depth, ended = "", 0, 0, False
    while not ended:
        chunk = text.read(CHUNK)
        ended = not chunk
        waiting += chunk
        start = 0
        while True:
            # between the objects stand brackets, commas and space
            while start < len(waiting) and waiting[start] in "[], \n\r\t":
                depth += {"[": 1, "]": -1}.get(waiting[start], 0)
                start += 1
            if start == len(waiting):
                break
            try:
                record, start = parse(waiting, start)
            except ValueError as error:
                if not ended and waiting[start] == "{":
                    break  # an object that goes on in the next chunk
                raise ValueError(
                    f"{path} is no JSON behind its object {at} ({error}); allowed is one array of objects; mend it"
                ) from None
            at += 1
            yield at, _object(path, at, record)
        waiting = waiting[start:]
    if depth:
        raise _damaged(path, "its array does not end")


def _object(path: Path, at: int, record: Any) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise ValueError(f"{path}:{at} holds a {type(record).__name__}; allowed are objects {{…}}; mend that record")
    return record


def _rows(path: Path, text: TextIO, source: Mapping[str, Any], delimiter: str) -> Iterator[tuple[int, dict[str, Any]]]:
    csv.field_size_limit(2**31 - 1)  # a document may be one field
    rows = (
        csv.reader(text, delimiter=delimiter, strict=True)
        if source.get("quoting", True)
        else csv.reader(text, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    )
    columns = source.get("columns")
    try:
        if source.get("header", True):
            header = next(rows, [])
            columns = columns or header
        elif not columns:
            raise ValueError(f"{path} has no header; name its columns, as `columns: [label, text]` in its source")
        for row in rows:
            if not row:
                continue
            if len(row) != len(columns):
                raise ValueError(
                    f"{path}:{rows.line_num} has {len(row)} fields; its columns are the {len(columns)} "
                    f"{', '.join(columns)}; mend the row, or set `quoting`, `header` or `columns` of its source"
                )
            yield rows.line_num, dict(zip(columns, row, strict=True))
    except csv.Error as error:
        raise ValueError(
            f"{path}:{rows.line_num} cannot be read ({error}); if quotes are plain text there, set `quoting: false`"
        ) from None


def _parquet(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            at = 0
            for batch in file.iter_batches(batch_size=256):  # rows; few, as a document may be long
                for record in batch.to_pylist():
                    at += 1
                    yield at, record
    except pyarrow.ArrowInvalid as error:
        raise _damaged(path, str(error)) from None


def _damaged(path: Path, reason: str) -> ValueError:
    return ValueError(f"{path} is cut or damaged ({' '.join(reason.split())}); fetch it again from where it came from")


class _Counted(io.RawIOBase):
    """A stream of bytes that knows how many it has given."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream, self.given = stream, 0

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as there are bytes."""
        data = self.stream.read(len(buffer))
        buffer[: len(data)] = data
        self.given += len(data)
        return len(data)
