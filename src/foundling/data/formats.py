"""Files to records: read(path, source) streams (line, record) out of txt, md, lines, jsonl, json, csv, tsv and parquet.

Compressed files (.gz, .zst) are unpacked while they are read, and memory holds no more than a record, whose length is
limited (data/limits.py). `source` is the part of a dataset config that says how its files are written:

    format     one of FORMATS; without it, the suffix says it (SUFFIXES, in any case)
    separator  txt, md: what stands between the documents of a file, as <|endoftext|>; without it, a file is one
    header     csv, tsv: whether the first row names the columns (true)
    columns    csv, tsv: names for the columns; needed where there is no header
    delimiter  csv, tsv: what separates the fields; without it, it is found (data/tables.py)
    quoting    csv, tsv: whether a field may stand in double quotes (true)
    encoding   of text files (utf-8); auto: found (data/encodings.py), and said in the log if it is not UTF-8
    errors     strict, or replace: bytes that are not of that encoding are read as U+FFFD
"""

import io
import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from foundling.data.encodings import AUTO, detect
from foundling.data.limits import Limits, Meter
from foundling.data.lines import Lines
from foundling.data.naming import setting
from foundling.data.surrogates import without_surrogates
from foundling.data.tables import SAMPLE, read_table

log = logging.getLogger(__name__)
FORMATS = ("txt", "md", "lines", "jsonl", "json", "csv", "tsv", "parquet")
SUFFIXES = {name: name for name in FORMATS} | {
    **dict.fromkeys(("text", "rst"), "txt"),
    **dict.fromkeys(("markdown", "mdown"), "md"),
    **dict.fromkeys(("ndjson", "jsonlines"), "jsonl"),
    **dict.fromkeys(("tab",), "tsv"),
    **dict.fromkeys(("pq",), "parquet"),
}
DELIMITERS = {"csv": ",", "tsv": "\t"}
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
CHUNK = 1 << 20  # characters or bytes read at once


def read(
    path: Path, source: Mapping[str, Any], tally: Counter[str] | None = None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line, record); the line is that of the record's end, or its number in formats without lines.

    `tally` counts what is left out or changed on the way, by reason.
    """
    name = source.get("format") or format_of(path)
    if name not in FORMATS:
        raise ValueError(
            f"found {path.name} of format {name}; allowed are {', '.join(FORMATS)}, each also with .gz or .zst; "
            f"rename it or set {setting(source, 'format')}"
        )
    limits = Limits.of(source)
    if name == "parquet":
        yield from _parquet(path, limits)
        return
    encoding = _encoding(path, source, limits)
    sample = ""
    if name in ("lines", "jsonl", *DELIMITERS):
        with open_text(path, encoding, source, limits) as text:
            sample = text.read(SAMPLE)
    # old Mac files end their lines with \r alone
    ends_with_cr = name in DELIMITERS or ("\r" in sample and "\n" not in sample)
    with open_text(path, encoding, source, limits, newline="" if ends_with_cr else "\n") as text:
        lines = Lines(path, text, limits)
        if name in ("txt", "md"):
            for at, document in enumerate(_documents(path, text, source.get("separator"), limits), 1):
                yield at, {"text": document}
        elif name == "lines":
            for at, line in enumerate(lines, 1):
                lines.taken = 0
                yield at, {"text": line.rstrip("\r\n")}
        elif name == "jsonl":
            yield from without_surrogates(_jsonl(path, lines), path, tally)
        elif name == "json":
            yield from without_surrogates(_json(path, text, limits), path, tally)
        else:
            yield from read_table(lines, sample, source, DELIMITERS[name], Counter() if tally is None else tally)


def format_of(path: Path) -> str | None:
    """The format that a file's suffixes say, or None."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSIONS:
        suffixes.pop()
    return SUFFIXES.get(suffixes[-1][1:]) if suffixes else None


def open_bytes(path: Path) -> BinaryIO:
    """A file's bytes, unpacked on the fly if its last suffix is one of COMPRESSIONS."""
    packing = COMPRESSIONS.get(path.suffix.lower())
    if packing is None:
        return open(path, "rb")
    import pyarrow  # unlike gzip and zstandard, it notices each file that is cut

    return pyarrow.CompressedInputStream(pyarrow.OSFile(str(path)), packing)


@contextmanager
def open_text(
    path: Path, encoding: str, source: Mapping[str, Any], limits: Limits, newline: str = "\n"
) -> Iterator[TextIO]:
    """A file's characters, unpacked; line ends stay as they are. What cannot be decoded is named with its byte."""
    # a file that Windows wrote may begin with a byte order mark, which is no text
    encoding = "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding
    with _unpacked(path, limits) as counted:
        try:
            yield io.TextIOWrapper(
                counted,  # type: ignore[type-var]
                encoding,
                source.get("errors") or "strict",
                newline=newline,
            )
        except UnicodeDecodeError as error:
            # the decoder's input ends where the reading stands
            offset = counted.given - len(error.object) + error.start
            raise ValueError(
                f"found byte 0x{error.object[error.start]:02x} at byte {offset} of {path}, which is not "
                f"{error.encoding}; set {setting(source, 'encoding')} to the file's own (as latin-1), or "
                f"{setting(source, 'errors', 'replace')}"
            ) from None
        except LookupError:
            raise ValueError(
                f"found encoding {encoding!r} for {path}; allowed are those of Python; try "
                f"{setting(source, 'encoding', 'utf-8')}"
            ) from None


@contextmanager
def _unpacked(path: Path, limits: Limits) -> Iterator["_Counted"]:
    """A file's bytes, unpacked, no more than the limits allow."""
    is_packed = path.suffix.lower() in COMPRESSIONS
    with open_bytes(path) as packed:
        try:
            yield _Counted(packed, Meter(path, limits) if is_packed else None)
        except OSError as error:
            if is_packed and error.errno is None:  # pyarrow's, not the system's
                raise _damaged(path, str(error)) from None
            raise


def _encoding(path: Path, source: Mapping[str, Any], limits: Limits) -> str:
    """The encoding that is set, or the one that is found."""
    encoding = source.get("encoding") or "utf-8"
    if encoding != AUTO:
        return encoding
    if source.get("errors") == "replace":
        return "utf-8"

    def chunks() -> Iterator[bytes]:
        with _unpacked(path, limits) as stream:
            while chunk := stream.read(CHUNK):
                yield chunk

    found = detect(chunks)
    if found != "utf-8":
        other = setting(source, "encoding")
        log.info(f"{path.name} is not UTF-8 and is read as {found}; if that is wrong, set {other}")
    return found


def _documents(path: Path, text: TextIO, separator: str | None, limits: Limits) -> Iterator[str]:
    """The whole text, or the parts between the separators, without the line ends next to these."""
    if not separator:
        whole = text.read(limits.record + 1)
        if len(whole) > limits.record:
            raise limits.too_long(path)
        yield whole
        return
    separator = separator.replace("\\n", "\n").replace("\\t", "\t")  # as a command line writes them
    waiting, at = "", 0
    while chunk := text.read(CHUNK):
        *whole_parts, waiting = (waiting + chunk).split(separator)
        for part in whole_parts:
            at += 1
            yield part.strip("\r\n")
        if len(waiting) > limits.record:
            raise limits.too_long(path, f"document {at + 1}")
    if waiting.strip():
        yield waiting.strip("\r\n")


def _jsonl(path: Path, lines: Lines) -> Iterator[tuple[int, dict[str, Any]]]:
    for at, line in enumerate(lines, 1):
        lines.taken = 0
        if line.strip():
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise ValueError(f"{path}:{at} is not JSON ({error}); each line must be one object; fix it") from None
            yield at, _object(path, at, record)


def _json(path: Path, text: TextIO, limits: Limits) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of one array (or one object alone), parsed one by one as the text comes in."""
    parse = json.JSONDecoder().raw_decode
    waiting, at, depth, ended = "", 0, 0, False
    while not ended:
        if len(waiting) > limits.record:
            raise limits.too_long(path, f"object {at + 1}")
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
                    f"{path} is not JSON behind its object {at} ({error}); allowed is one array of objects; fix it"
                ) from None
            at += 1
            yield at, _object(path, at, record)
        waiting = waiting[start:]
    if depth:
        raise _damaged(path, "its array does not end")


def _object(path: Path, at: int, record: Any) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise ValueError(f"{path}:{at} holds a {type(record).__name__}; allowed are objects {{…}}; fix that record")
    return record


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
                    raise limits.too_long(path, f"a row after row {at}")
                for record in batch.to_pylist():
                    at += 1
                    yield at, {name: _text(value) for name, value in record.items()}
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError, OverflowError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise _damaged(path, str(error)) from None


def _text(value: Any) -> Any:
    """A binary value as the UTF-8 text that it is, as Spark writes texts; others, and other bytes, as they are."""
    try:
        return value.decode() if isinstance(value, bytes) else value
    except UnicodeDecodeError:
        return value


def _damaged(path: Path, reason: str) -> ValueError:
    return ValueError(f"{path} is cut or damaged ({' '.join(reason.split())}); fetch it again from where it came from")


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
