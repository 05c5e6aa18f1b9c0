"""The texts that a command is given: one as a setting, or those of a file or of standard input, one by one."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from foundling.data.formats import format_of, read

STANDARD_INPUT = "-"


def check_asked(text: str, file: str) -> None:
    """Refuse to wait for a person to type what is not asked for."""
    if not text and file == STANDARD_INPUT and sys.stdin.isatty():
        raise ValueError('nothing to read: give text="…", file=texts.txt, or texts on standard input, one a line')


def read_texts(file: str, column: str) -> Iterator[tuple[str, str]]:
    """(where it stands, text) of each row; one without the column raises ValueError that names it."""
    where = "standard input" if file == STANDARD_INPUT else file
    for line, record in _rows(file, column):
        text = record.get(column)
        if text is None:
            raise ValueError(
                f"{where}:{line} has no column {column!r} (found {', '.join(map(str, record))}); set column to the one "
                "that holds the text"
            )
        yield f"{where}:{line}", str(text)


def _rows(file: str, column: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line, record): of a plain text each line is one, under the name of the column."""
    if file == STANDARD_INPUT:
        return ((at, {column: line.rstrip("\r\n")}) for at, line in enumerate(sys.stdin, 1))
    path = Path(file)
    if not path.is_file():
        raise ValueError(f"found no file {file}; give one, or texts on standard input, one a line")
    if format_of(path) in (None, "txt", "md", "lines"):
        return ((at, {column: record["text"]}) for at, record in read(path, {"format": "lines"}))
    return read(path, {})
