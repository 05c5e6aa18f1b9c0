"""What stages wrote into plots/: CSV and JSON lines in, rows out."""

import csv
import json
from pathlib import Path
from typing import IO, Any


def read_csv(path: Path | str, numbers: tuple[str, ...] | None = None) -> list[dict[str, Any]]:
    """Rows with their numbers as numbers, or those of the columns `numbers` alone where others hold text.

    A file that is missing raises ValueError with what makes it.
    """
    with _open(path) as file:
        rows = csv.DictReader(file)
        return [{k: _number(v) if numbers is None or k in numbers else v for k, v in row.items()} for row in rows]


def read_jsonl(path: Path | str) -> list[dict[str, Any]]:
    """An object a line."""
    with _open(path) as file:
        return [json.loads(line) for line in file]


def _open(path: Path | str) -> IO[str]:
    if not Path(path).is_file():
        raise ValueError(f"{path} is missing; run the stage that makes it (`dvc repro` runs all that are needed)")
    return open(path, encoding="utf-8", newline="")


def _number(value: str) -> float | int | str:
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value
