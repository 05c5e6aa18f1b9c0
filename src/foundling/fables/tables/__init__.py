"""Read the tables in this folder: YAML documents and TSV files with one record a line.

A list of patterns is written as a YAML block with one pattern a line; `patterns` reads such blocks.
"""

import csv
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
EMPTY = "-"


@cache
def document(name: str) -> Any:
    """Return the content of `name`.yaml. Callers share one object and must not change it."""
    return yaml.load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"), LOADER)


@cache
def records(name: str) -> list[dict[str, str]]:
    """Return the lines of `name`.tsv, each by column; empty cells, written as "-", become ""."""
    lines = (FOLDER / f"{name}.tsv").read_text(encoding="utf-8").splitlines()
    rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE, strict=True)
    return [{column: "" if cell == EMPTY else cell for column, cell in row.items()} for row in rows]


def patterns(node: Any) -> tuple[str, ...]:
    """Return the patterns of a block (one a line), of a list, or of all sections of a mapping in order."""
    if isinstance(node, str):
        return tuple(node.splitlines())
    if isinstance(node, dict):
        return tuple(pattern for section in node.values() for pattern in patterns(section))
    return tuple(node)


def pattern_groups(node: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the patterns of each block of a mapping."""
    return {name: patterns(block) for name, block in node.items()}
