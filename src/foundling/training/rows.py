"""Text files that a training appends to, line by line, and that a resumed one cuts back to its checkpoint's size."""

import csv
import io
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from foundling.scratch import is_first_process


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
        """The file's size in bytes, all of them on the disk: what `cut` needs."""
        with open(self.path, "rb") as file:
            os.fsync(file.fileno())
            return os.fstat(file.fileno()).st_size

    def cut(self, size: int) -> None:
        """Remove what was written after the checkpoint; ValueError if the file is shorter than it was then."""
        current = self.path.stat().st_size if self.path.is_file() else 0
        if current < size:
            raise ValueError(
                f"{self.path} has {current:,} bytes, and the checkpoint in its folder needs {size:,}; remove the "
                "folder, and the training starts again"
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
