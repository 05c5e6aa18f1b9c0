"""Files that a training appends lines to, and that a resumed training truncates to the checkpoint's size."""

import csv
import io
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from foundling.processes import is_first_process


class Rows:
    """A file of lines below a header, written by the training's first process."""

    def __init__(self, path: Path, header: str = "") -> None:
        self.path, self.header, self.created = path, header, False

    def create(self) -> None:
        """Write the header to a new file, unless the file was created or resumed before."""
        if not self.created and is_first_process():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(self.header, encoding="utf-8")
        self.created = True

    def add(self, line: str) -> None:
        """Append a line."""
        if is_first_process():
            with open(self.path, "a", encoding="utf-8", newline="") as file:
                file.write(line + "\n")

    def size(self) -> int:
        """Flush the file to disk and return its size in bytes, the argument of `truncate`."""
        with open(self.path, "rb") as file:
            os.fsync(file.fileno())
            return os.fstat(file.fileno()).st_size

    def truncate(self, size: int) -> None:
        """Remove what was written after the checkpoint; if the file is shorter than it was, ValueError."""
        current = self.path.stat().st_size if self.path.is_file() else 0
        if current < size:
            raise ValueError(
                f"{self.path} has {current:,} bytes, but the checkpoint in its folder needs {size:,}; remove "
                "the folder to start the training again"
            )
        if is_first_process():
            os.truncate(self.path, size)
        self.created = True


class Table(Rows):
    """A CSV file."""

    def __init__(self, path: Path, columns: tuple[str, ...]) -> None:
        super().__init__(path, _line(columns) + "\n")
        self.columns = columns

    def add_row(self, row: Mapping[str, float]) -> None:
        """Append the row's columns, to six significant digits."""
        self.add(_line(f"{row[c]:.6g}" if isinstance(row[c], float) else row[c] for c in self.columns))


def _line(values: Iterable[object]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(values)
    return line.getvalue()
