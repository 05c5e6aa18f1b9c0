"""Replace halves of surrogate pairs, which truncated JSON texts may contain, but UTF-8 cannot encode.

Programs that truncate texts by UTF-16 units leave one of an emoji's two halves ("\\ud83d"). Every dataset
reads each as U+FFFD, so that later stages can encode all texts.
"""

import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)
HALF = re.compile("[\ud800-\udfff]")
REPLACED = "changed: halves of surrogate pairs to U+FFFD"


def without_surrogates(
    rows: Iterable[tuple[int, dict[str, Any]]], path: Path, tally: Counter[str] | None = None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """The file's (line, record) with replacements, which `tally` counts; the log names the first line."""
    count, first = 0, 0
    for line, record in rows:
        value, replaced = replace_surrogates(record)
        if replaced:
            count, first = count + replaced, first or line
        yield line, value
    if count:
        log.warning(f"{path}: {count:,} halves of surrogate pairs are read as U+FFFD (first: line {first})")
        if tally is not None:
            tally[REPLACED] += count


def replace_surrogates(value: Any) -> tuple[Any, int]:
    """A JSON value with U+FFFD for each half of a pair, and how many there were."""
    if isinstance(value, str):
        return (value, 0) if value.isascii() else HALF.subn("\ufffd", value)
    if isinstance(value, list):
        items = [replace_surrogates(item) for item in value]
        return [item for item, _ in items], sum(count for _, count in items)
    if isinstance(value, dict):
        pairs = [(replace_surrogates(key), replace_surrogates(item)) for key, item in value.items()]
        return {key: item for (key, _), (item, _) in pairs}, sum(a + b for (_, a), (_, b) in pairs)
    return value, 0
