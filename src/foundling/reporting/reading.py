"""Read the rows that stages write into plots/ as CSV or JSON lines."""

import csv
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any

Row = Mapping[str, Any]


def read_csv(path: Path | str, numbers: tuple[str, ...] | None = None) -> list[Row]:
    """Rows with numbers converted, in all columns or in `numbers`; a missing file raises ValueError."""
    with _open(path) as file:
        return parse_csv(file, numbers)


def read_jsonl(path: Path | str) -> list[Row]:
    """One row for each line; a missing file raises ValueError."""
    with _open(path) as file:
        return parse_jsonl(file)


def parse_csv(lines: Iterable[str], numbers: tuple[str, ...] | None = None) -> list[Row]:
    """The rows below a header, with numbers converted, in all columns or in `numbers`."""
    rows = csv.DictReader(lines)
    return [{k: _number(v) if numbers is None or k in numbers else v for k, v in row.items()} for row in rows]


def parse_jsonl(lines: Iterable[str]) -> list[Row]:
    """One row for each line."""
    return [json.loads(line) for line in lines]


def _open(path: Path | str) -> IO[str]:
    if not Path(path).is_file():
        raise ValueError(
            f"{path} is missing; run the stage that writes it (`dvc repro` runs all stages that are needed)"
        )
    return open(path, encoding="utf-8", newline="")


def _number(value: str) -> float | int | str:
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value
