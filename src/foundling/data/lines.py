"""A text's lines one by one, none longer than the limit, with their numbers for errors."""

from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from foundling.data.limits import Limits


class Lines(Iterator[str]):
    """A text's lines; `taken` counts the characters since a record's end, where the reader sets it to 0."""

    def __init__(self, path: Path, text: TextIO, limits: Limits) -> None:
        self.path, self.text, self.limits = path, text, limits
        self.number = self.taken = 0

    def __next__(self) -> str:
        line = self.text.readline(self.limits.record + 1)
        if not line:
            raise StopIteration
        self.number += 1
        self.taken += len(line)
        if self.taken > self.limits.record:
            raise self.limits.too_long(self.path, f"line {self.number}")
        return line
