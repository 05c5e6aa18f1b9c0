"""Text files that grow with a training, line by line, and that a resumed one cuts back to where its checkpoint was."""

import csv
import io
import os
from collections.abc import Mapping
from pathlib import Path


class Rows:
    """A file of lines behind a header, whole at every moment but the last line."""

    def __init__(self, path: Path, header: str = "") -> None:
        self.path, self.header, self.begun = path, header, False

    def begin(self) -> None:
        """Start the file anew, unless it was begun or resumed before."""
        if not self.begun:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(self.header, encoding="utf-8")
            self.begun = True

    def add(self, line: str) -> None:
        """Append a line."""
        with open(self.path, "a", encoding="utf-8", newline="") as file:
            file.write(line + "\n")

    def state(self) -> int:
        """The file's size in bytes, all of them on the disk: what `resume` needs."""
        with open(self.path, "rb") as file:
            os.fsync(file.fileno())
            return os.fstat(file.fileno()).st_size

    def resume(self, size: int) -> None:
        """Cut off what was written after the state; ValueError where the file is shorter than it was then."""
        found = self.path.stat().st_size if self.path.is_file() else 0
        if found < size:
            raise ValueError(
                f"{self.path} has {found:,} bytes, and the checkpoint beside it needs {size:,}; remove that folder, "
                "and the training begins anew"
            )
        os.truncate(self.path, size)
        self.begun = True


class Table(Rows):
    """The same of a CSV file."""

    def __init__(self, path: Path, columns: tuple[str, ...]) -> None:
        super().__init__(path, _line(columns) + "\n")
        self.columns = columns

    def add_row(self, row: Mapping[str, float]) -> None:
        """Append the row's columns, to six significant digits."""
        self.add(_line(f"{row[c]:.6g}" if isinstance(row[c], float) else row[c] for c in self.columns))


def _line(values: object) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="").writerow(values)  # type: ignore[arg-type]
    return written.getvalue()
