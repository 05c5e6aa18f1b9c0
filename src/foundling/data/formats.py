"""Files to records: read(path, source) streams (line, record) out of txt, md, lines, jsonl, json, csv, tsv and parquet.

Compressed files (.gz, .zst) are unpacked while they are read, and memory holds no more than a record, whose length is
limited (data/limits.py). `source` is the part of a dataset config that says how its files are written:

    format    one of FORMATS; without it, the suffix says it
    header    csv, tsv: whether the first row names the columns (true)
    columns   csv, tsv: names for the columns; needed where there is no header
    quoting   csv, tsv: whether a field may stand in double quotes (true)
    encoding  of text files (utf-8); `errors: replace` reads what is not of that encoding as U+FFFD
"""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from foundling.data.limits import Limits, Meter
from foundling.data.surrogates import without_surrogates

FORMATS = ("txt", "md", "lines", "jsonl", "json", "csv", "tsv", "parquet")
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
CHUNK = 1 << 20  # characters of a JSON file read at once


def read(
    path: Path, source: Mapping[str, Any], tally: Counter[str] | None = None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line, record); the line is that of the record's end, or its number in formats without lines.

    `tally` counts what is changed on the way, by reason.
    """
    name = source.get("format") or format_of(path)
    if name not in FORMATS:
        raise ValueError(
            f"found {path.name} of format {name}; allowed are {', '.join(FORMATS)}, with .gz or .zst behind; "
            "rename it or set `format` of its source"
        )
    limits = Limits.of(source)
    if name == "parquet":
        yield from _parquet(path, limits)
        return
    with open_text(path, source.get("encoding") or "utf-8", source.get("errors") or "strict", limits) as text:
        if name in ("txt", "md"):
            whole = text.read(limits.record + 1)
            if len(whole) > limits.record:
                raise _too_long(path, limits.record)
            yield 1, {"text": whole}
            return
        lines = _Lines(path, text, limits.record)
        if name == "lines":
            for at, line in enumerate(lines, 1):
                lines.taken = 0
                yield at, {"text": line.rstrip("\r\n")}
        elif name == "jsonl":
            yield from without_surrogates(_jsonl(path, lines), path, tally)
        elif name == "json":
            yield from without_surrogates(_json(path, text, limits.record), path, tally)
        else:
            yield from _rows(path, lines, source, "\t" if name == "tsv" else ",", limits.record)


def format_of(path: Path) -> str | None:
    """The format that a file's suffixes say, or None."""
    suffixes = path.suffixes
    if suffixes and suffixes[-1] in COMPRESSIONS:
        suffixes.pop()
    name = suffixes[-1][1:].lower() if suffixes else None
    return name if name in FORMATS else None


def open_bytes(path: Path) -> BinaryIO:
    """A file's bytes, unpacked on the fly if its last suffix is one of COMPRESSIONS."""
    packing = COMPRESSIONS.get(path.suffix.lower())
    if packing is None:
        return open(path, "rb")
    import pyarrow  # unlike gzip and zstandard, it notices each file that is cut

    return pyarrow.CompressedInputStream(pyarrow.OSFile(str(path)), packing)


@contextmanager
def open_text(
    path: Path, encoding: str = "utf-8", errors: str = "strict", limits: Limits | None = None
) -> Iterator[TextIO]:
    """A file's characters, unpacked; line ends stay as they are. What cannot be decoded is named with its byte."""
    # a file that Windows wrote may begin with a byte order mark, which is no text
    encoding = "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding
    is_packed = path.suffix.lower() in COMPRESSIONS
    with open_bytes(path) as packed:
        counted = _Counted(packed, Meter(path, limits or Limits.of({})) if is_packed else None)
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
            if is_packed and error.errno is None:  # pyarrow's, not the system's
                raise _damaged(path, str(error)) from None
            raise


def _jsonl(path: Path, lines: "_Lines") -> Iterator[tuple[int, dict[str, Any]]]:
    for at, line in enumerate(lines, 1):
        lines.taken = 0
        if line.strip():
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise ValueError(f"{path}:{at} is no JSON ({error}); each line must be one object; mend it") from None
            yield at, _object(path, at, record)


def _json(path: Path, text: TextIO, longest: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of one array (or one object alone), parsed one by one as the text comes in."""
    parse = json.JSONDecoder().raw_decode
    waiting, at, depth, ended = "", 0, 0, False
    while not ended:
        if len(waiting) > longest:
            raise _too_long(path, longest, f"object {at + 1}")
        chunk = text.read(max(CHUNK, len(waiting)))  # a long object is not begun anew too often
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
            except (ValueError, RecursionError) as error:
                if not ended and waiting[start] == "{" and isinstance(error, ValueError):
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


def _rows(
    path: Path, lines: "_Lines", source: Mapping[str, Any], delimiter: str, longest: int
) -> Iterator[tuple[int, dict[str, Any]]]:
    csv.field_size_limit(longest)  # a document may be one field
    rows = (
        csv.reader(lines, delimiter=delimiter, strict=True)
        if source.get("quoting", True)
        else csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    )
    columns = source.get("columns")
    try:
        if source.get("header", True):
            header = next(rows, [])
            columns = columns or header
        elif not columns:
            raise ValueError(f"{path} has no header; name its columns, as `columns: [label, text]` in its source")
        if len(set(columns)) < len(columns):
            raise ValueError(f"{path} names a column twice among {_few(columns)}; mend its header, or set `columns`")
        for row in rows:
            lines.taken = 0
            if not row:
                continue
            if len(row) != len(columns):
                raise ValueError(
                    f"{path}:{rows.line_num} has {len(row)} fields; its columns are the {len(columns)} "
                    f"{_few(columns)}; mend the row, or set `quoting`, `header` or `columns` of its source"
                )
            yield rows.line_num, dict(zip(columns, row, strict=True))
    except csv.Error as error:
        raise ValueError(
            f"{path}:{rows.line_num} cannot be read ({error}); if quotes are plain text there, set `quoting: false`"
        ) from None


def _parquet(path: Path, limits: Limits) -> Iterator[tuple[int, dict[str, Any]]]:
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            meter = Meter(path, limits)
            for group in range(file.metadata.num_row_groups):
                meter.add(file.metadata.row_group(group).total_byte_size)
            at = 0
            for batch in file.iter_batches(batch_size=256):  # rows; few, as a document may be long
                if batch.nbytes > 256 * limits.record:
                    raise _too_long(path, limits.record, f"a row behind row {at}")
                for record in batch.to_pylist():
                    at += 1
                    yield at, record
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError, OverflowError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise _damaged(path, str(error)) from None


def _damaged(path: Path, reason: str) -> ValueError:
    return ValueError(f"{path} is cut or damaged ({' '.join(reason.split())}); fetch it again from where it came from")


def _too_long(path: Path, longest: int, where: str = "its text") -> ValueError:
    return ValueError(
        f"{path} has a record of more than {longest:,} characters ({where}); allowed are {longest:,}; cut it, or raise "
        "`record_megabytes` of its source"
    )


def _few(names: Sequence[str]) -> str:
    """Names in one line, however many and long they are."""
    shown = ", ".join(name[:40] for name in names[:12])
    return shown + (f" and {len(names) - 12:,} more" if len(names) > 12 else "")


class _Lines(Iterator[str]):
    """A text's lines; `taken` counts the characters since a record's end, where the reader sets it to 0."""

    def __init__(self, path: Path, text: TextIO, longest: int) -> None:
        self.path, self.text, self.longest = path, text, longest
        self.number = self.taken = 0

    def __next__(self) -> str:
        line = self.text.readline(self.longest + 1)
        self.number += 1
        self.taken += len(line)
        if self.taken > self.longest:
            raise _too_long(self.path, self.longest, f"line {self.number}")
        if not line:
            raise StopIteration
        return line


class _Counted(io.RawIOBase):
    """A stream of bytes that knows how many it has given."""

    def __init__(self, stream: BinaryIO, meter: Meter | None) -> None:
        self.stream, self.meter, self.given = stream, meter, 0

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as there are bytes."""
        data = self.stream.read(len(buffer))
        buffer[: len(data)] = data
        self.given += len(data)
        if self.meter is not None:
            self.meter.add(len(data))
        return len(data)
