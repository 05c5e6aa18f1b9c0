"""Read the dialects of CSV as records, with Python's csv module in strict mode.

The delimiter is set, or named by Excel's first line `sep=;`, or detected: the format's default (a comma or a
tab) if it gives all rows at the beginning of the file the same number of fields, else another common one that
does. In strict mode a stray quote is an error with its line; pandas, pyarrow and polars silently join the
rows.
"""

import csv
import io
import logging
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from foundling.data.text_files import Lines
from foundling.settings.datasets import Source

log = logging.getLogger(__name__)
Quoting = Literal[0, 3]
QUOTED: Quoting = csv.QUOTE_MINIMAL
UNQUOTED: Quoting = csv.QUOTE_NONE
DELIMITERS = ",;\t|"
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
SAMPLE = 1 << 16  # characters from which the delimiter is detected
UNNAMED = "rows with values in columns without a name, which are not read"


def read_table(
    lines: Lines, sample: str, source: Source, usual: str, tally: Counter[str]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line, row) of a file that starts with `sample`; `usual` is its format's default."""
    usual_limit = csv.field_size_limit(source.max_characters)  # a document may be one field
    quoting = QUOTED if source.quoting else UNQUOTED
    delimiter = _delimiter(lines, sample, source, usual, quoting)
    rows = csv.reader(lines, delimiter=delimiter, quoting=quoting, strict=True)
    try:
        columns, width = _columns(lines, rows, source)
        for row in rows:
            lines.record_length = 0
            if not row:
                continue
            if len(row) == width + 1 and not row[-1]:  # a delimiter at the end
                row.pop()
            if len(row) != width:
                settings = ", ".join(map(source.setting, ("quoting", "header")))
                raise ValueError(
                    f"{lines.path}:{lines.number} has {len(row)} fields; its columns are the {width} "
                    f"{_few(columns)}; fix the row, or set {source.setting('delimiter')} (used: "
                    f"{delimiter!r}), {settings} or {source.setting('columns')}"
                )
            if any(row[len(columns) :]):
                tally[UNNAMED] += 1
            yield lines.number, {name: value for name, value in zip(columns, row, strict=False) if name}
    except csv.Error as error:
        raise ValueError(
            f"{lines.path}:{lines.number} cannot be read ({error}); if quotes are plain text there, set "
            f"{source.setting('quoting', 'false')}"
        ) from None
    finally:
        csv.field_size_limit(usual_limit)


def _delimiter(lines: Lines, sample: str, source: Source, usual: str, quoting: Quoting) -> str:
    """The delimiter: set, named by the first line (which is skipped), or detected."""
    first = sample[:20].splitlines()[0] if sample else ""
    named = SEPARATOR_LINE.fullmatch(first)
    if named:
        next(lines)
    if source.delimiter:
        return source.delimiter
    delimiter = named[1] if named else _detect(sample, usual, quoting)
    if delimiter != usual:
        log.info(f"{lines.path.name}: the fields are separated by {delimiter!r}")
    return delimiter


def _columns(lines: Lines, rows: Iterator[list[str]], source: Source) -> tuple[list[str], int]:
    """The columns' names, without unnamed ones at the end, and the number of fields of a row."""
    columns = [name.strip() for name in source.columns or ()]
    if source.header:
        header = [name.strip() for name in next(rows, [])]
        columns = columns or header
    elif not columns:
        raise ValueError(
            f"{lines.path} has no header; name its columns: {source.setting('columns', '[label, text]')}"
        )
    width = len(columns)
    while columns and not columns[-1]:
        columns.pop()
    if twice := [name for name, count in Counter(filter(None, columns)).items() if count > 1]:
        raise ValueError(
            f"{lines.path} names a column twice ({_few(twice)}) among {_few(columns)}; rename one in the "
            f"header, or set {source.setting('columns')}"
        )
    return columns, width


def _detect(sample: str, usual: str, quoting: Quoting) -> str:
    """The delimiter that gives all rows of the sample equally many fields, more than one."""
    widths = {delimiter: _width(sample, delimiter, quoting) for delimiter in DELIMITERS}
    widest = max(DELIMITERS, key=lambda delimiter: widths[delimiter])
    return widest if widths[usual] < 2 <= widths[widest] else usual


def _width(sample: str, delimiter: str, quoting: Quoting) -> int:
    """The number of fields of all rows, or 0 if rows differ; the last row may be truncated and is ignored."""
    try:
        rows = list(csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter, quoting=quoting))
    except csv.Error:
        return 0
    if len(sample) >= SAMPLE:
        rows.pop()
    widths = {len(row) for row in rows if row}
    return widths.pop() if len(widths) == 1 else 0


def _few(names: Sequence[str]) -> str:
    """Names in one line, shortened if they are many or long."""
    shown = ", ".join(name[:40] for name in names[:12])
    return shown + (f" and {len(names) - 12:,} more" if len(names) > 12 else "")
