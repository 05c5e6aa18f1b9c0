"""Text files to characters and lines: decompressed, decoded, and no more of them than the source allows."""

import codecs
import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from foundling.data.encodings import AUTO, detect
from foundling.data.limits import Meter, too_long
from foundling.settings.datasets import Source

log = logging.getLogger(__name__)
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
CHUNK = 1 << 20  # characters or bytes read at once


def open_bytes(path: Path) -> BinaryIO:
    """A file's bytes, decompressed if its last suffix is one of COMPRESSIONS."""
    compression = COMPRESSIONS.get(path.suffix.lower())
    if compression is None:
        return open(path, "rb")
    import pyarrow  # unlike gzip and zstandard, it notices each truncated file

    return pyarrow.CompressedInputStream(pyarrow.OSFile(str(path)), compression)


@contextmanager
def open_text(path: Path, encoding: str, source: Source, newline: str = "\n") -> Iterator[TextIO]:
    """A file's characters, decompressed, with unchanged line ends; errors name the byte that is invalid."""
    if codecs.lookup(encoding).name == "utf-8":
        encoding = "utf-8-sig"  # a byte order mark, as Windows writes it, is no text
    with open_bytes(path) as packed:
        stream = _Stream(path, packed, source)
        try:
            yield io.TextIOWrapper(stream, encoding, source.errors, newline=newline)  # type: ignore[type-var]
        except UnicodeDecodeError as error:
            position = stream.total - len(error.object) + error.start  # the decoder has read up to total
            raise ValueError(
                f"{path} has byte 0x{error.object[error.start]:02x} at byte {position}, which is not "
                f"{error.encoding}; set {source.setting('encoding')} to the file's own (as latin-1), or "
                f"{source.setting('errors', 'replace')}"
            ) from None


class Lines(Iterator[str]):
    """A text's lines. `record_length` adds up their characters; the reader sets it to 0 after each record."""

    def __init__(self, path: Path, text: TextIO, source: Source) -> None:
        self.path, self.text, self.source = path, text, source
        self.number = self.record_length = 0

    def __next__(self) -> str:
        line = self.text.readline(self.source.max_characters + 1)
        if not line:
            raise StopIteration
        self.number += 1
        self.record_length += len(line)
        if self.record_length > self.source.max_characters:
            raise too_long(self.path, self.source, f"line {self.number}")
        return line


def encoding_of(path: Path, source: Source) -> str:
    """The encoding that is set, or detected where it is auto."""
    if source.encoding != AUTO:
        return source.encoding
    if source.errors == "replace":
        return "utf-8"

    def chunks() -> Iterator[bytes]:
        with open_bytes(path) as packed:
            stream = _Stream(path, packed, source)
            while chunk := stream.read(CHUNK):
                yield chunk

    detected = detect(chunks)
    if detected != "utf-8":
        log.info(
            f"{path.name} is not UTF-8 and is read as {detected}; if that is wrong, set "
            f"{source.setting('encoding')}"
        )
    return detected


def damaged(path: Path, reason: str) -> ValueError:
    """The error of a file that cannot be read to its end."""
    return ValueError(
        f"{path} is truncated or damaged ({' '.join(reason.split())}); fetch it again from its origin"
    )


class _Stream(io.RawIOBase):
    """The bytes of a file, decompressed, counted, and no more than the source allows."""

    def __init__(self, path: Path, stream: BinaryIO, source: Source) -> None:
        self.path, self.stream, self.total = path, stream, 0
        self.meter = Meter(path, source) if path.suffix.lower() in COMPRESSIONS else None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self.stream.read(len(buffer))
        except OSError as error:
            if self.meter is None or error.errno is not None:  # the system's, not pyarrow's
                raise
            raise damaged(self.path, str(error)) from None
        buffer[: len(data)] = data
        self.total += len(data)
        if self.meter is not None:
            self.meter.add(len(data))
        return len(data)
