"""A text's lines one by one, none longer than the limit, with their numbers for errors."""

from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from foundling.data.limits import too_long
from foundling.settings.datasets import Source


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
