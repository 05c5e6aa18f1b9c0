"""Comma-separated values in their dialects: lines in, records out, with Python's strict reader of the format.

The delimiter is set, named by Excel's first line `sep=;`, or found: the format's own (a comma, a tab) if it cuts the
rows of the file's beginning alike, else whichever of the usual ones does. Strict, because pandas, pyarrow and polars
silently join rows at a stray quote; here that is an error with its line.
"""

import csv
import io
import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from foundling.data.lines import Lines
from foundling.data.naming import setting

log = logging.getLogger(__name__)
Quoting = Literal[0, 3]
QUOTED: Quoting = csv.QUOTE_MINIMAL
PLAIN: Quoting = csv.QUOTE_NONE
DELIMITERS = ",;\t|"
SPELLED = {"\\t": "\t", "tab": "\t"}  # ways to write a tab on a command line
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
SAMPLE = 1 << 16  # characters by which the delimiter is found
UNNAMED = "rows with values in columns without a name, which are not read"


def read_table(
    lines: Lines, sample: str, source: Mapping[str, Any], usual: str, tally: Counter[str]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line, row) of a file, whose first SAMPLE characters are `sample`; `usual` is its format's delimiter."""
    csv.field_size_limit(lines.limits.record)  # a document may be one field
    quoting = QUOTED if source.get("quoting", True) else PLAIN
    delimiter = _delimiter(lines, sample, source, usual, quoting)
    rows = csv.reader(lines, delimiter=delimiter, quoting=quoting, strict=True)
    try:
        columns, width = _columns(lines.path, rows, source)
        for row in rows:
            lines.taken = 0
            if not row:
                continue
            if len(row) == width + 1 and not row[-1]:  # it ends with a delimiter
                row.pop()
            if len(row) != width:
                raise ValueError(
                    f"{lines.path}:{lines.number} has {len(row)} fields; its columns are the {width} {_few(columns)}; "
                    f"fix the row, or set {setting(source, 'delimiter')} (used: {delimiter!r}), "
                    f"{setting(source, 'quoting')}, {setting(source, 'header')} or {setting(source, 'columns')}"
                )
            if any(row[len(columns) :]):
                tally[UNNAMED] += 1
            yield lines.number, {name: value for name, value in zip(columns, row, strict=False) if name}
    except csv.Error as error:
        raise ValueError(
            f"{lines.path}:{lines.number} cannot be read ({error}); if quotes are plain text there, set "
            f"{setting(source, 'quoting', 'false')}"
        ) from None


def _delimiter(lines: Lines, sample: str, source: Mapping[str, Any], usual: str, quoting: Quoting) -> str:
    """The delimiter that is set, announced or found; an announcement is taken from the lines."""
    first = sample[:20].splitlines()[0] if sample else ""
    announced = SEPARATOR_LINE.fullmatch(first)
    if announced:
        next(lines)
        sample = sample[len(first) :].lstrip("\r\n")
    if source.get("delimiter"):
        return SPELLED.get(source["delimiter"], source["delimiter"])
    delimiter = announced[1] if announced else _found(sample, usual, quoting)
    if delimiter != usual:
        log.info(f"{lines.path.name}: the fields are separated by {delimiter!r}")
    return delimiter


def _columns(path: Path, rows: Iterator[list[str]], source: Mapping[str, Any]) -> tuple[list[str], int]:
    """The columns' names, without those at the end that have none, and how many fields a row has."""
    columns = [name.strip() for name in source.get("columns") or []]
    if source.get("header", True):
        header = [name.strip() for name in next(rows, [])]
        columns = columns or header
    elif not columns:
        raise ValueError(f"{path} has no header; name its columns: {setting(source, 'columns', '[label, text]')}")
    width = len(columns)
    while columns and not columns[-1]:
        columns.pop()
    if twice := [name for name, count in Counter(filter(None, columns)).items() if count > 1]:
        raise ValueError(
            f"{path} names a column twice ({_few(twice)}) among {_few(columns)}; rename one in the header, or set "
            f"{setting(source, 'columns')}"
        )
    return columns, width


def _found(sample: str, usual: str, quoting: Quoting) -> str:
    """The delimiter that cuts all rows of the sample into equally many fields, more than one."""
    widths = {delimiter: _width(sample, delimiter, quoting) for delimiter in DELIMITERS}
    widest = max(DELIMITERS, key=lambda delimiter: widths[delimiter])
    return widest if widths[usual] < 2 <= widths[widest] else usual


def _width(sample: str, delimiter: str, quoting: Quoting) -> int:
    """How many fields all rows have, or 0 where they differ; the last row may be cut, and does not count."""
    try:
        rows = list(csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter, quoting=quoting))
    except csv.Error:
        return 0
    if len(sample) >= SAMPLE:
        rows.pop()
    widths = {len(row) for row in rows if row}
    return widths.pop() if len(widths) == 1 else 0


def _few(names: Sequence[str]) -> str:
    """Names in one line, however many and long they are."""
    shown = ", ".join(name[:40] for name in names[:12])
    return shown + (f" and {len(names) - 12:,} more" if len(names) > 12 else "")
