"""Read the texts that a command processes: one from a setting, or many from a file or standard input."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from foundling.data.formats import format_of, read
from foundling.settings.datasets import Source

STANDARD_INPUT = "-"


def read_settings(text: str, file: str, column: str) -> list[tuple[str, str]]:
    """(location, text) of `text`, or else of each text in `file`; ValueError if there is none."""
    if text:
        return [("text", text)]
    if file == STANDARD_INPUT and sys.stdin.isatty():
        raise ValueError(
            'no text: set text="…" or file=texts.txt, or pipe texts to standard input, one per line'
        )
    texts = list(read_texts(file, column))
    if not texts:
        raise ValueError(
            f"no text in {'standard input' if file == STANDARD_INPUT else file}; add at least one"
        )
    return texts


def read_texts(file: str, column: str) -> Iterator[tuple[str, str]]:
    """(location, text) of each row; a row without the column raises ValueError that names it."""
    where = "standard input" if file == STANDARD_INPUT else file
    for line, record in _rows(file, column):
        text = record.get(column)
        if text is None:
            raise ValueError(
                f"{where}:{line} has no column {column!r} (columns: {', '.join(map(str, record))}); set "
                "column to the one with the text"
            )
        yield f"{where}:{line}", str(text)


def _rows(file: str, column: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line, record) of each row; in plain text each line is a record with this column."""
    if file == STANDARD_INPUT:
        return ((at, {column: line}) for at, line in _standard_input())
    path = Path(file).expanduser()
    if not path.is_file():
        raise ValueError(
            f"{file} does not exist; correct file=…, or pipe texts to standard input, one per line"
        )
    source = Source(name="file", path=file)
    if format_of(path) in (None, "txt", "md", "lines"):
        lines = read(path, replace(source, format="lines"))
        return ((at, {column: record["text"]}) for at, record in lines)
    return read(path, source)


def _standard_input() -> Iterator[tuple[int, str]]:
    """(line number, line) of standard input, which must be UTF-8, whatever the locale."""
    lines = getattr(sys.stdin, "buffer", None)
    for at, line in enumerate(lines if lines is not None else sys.stdin, 1):
        try:
            text = line.decode("utf-8-sig" if at == 1 else "utf-8") if isinstance(line, bytes) else line
        except UnicodeDecodeError as error:
            raise ValueError(
                f"standard input, line {at}: byte {error.object[error.start]:#04x} is not valid UTF-8; "
                "convert the text first, as with `iconv -f latin1 -t utf-8`"
            ) from None
        yield at, text.rstrip("\r\n")
