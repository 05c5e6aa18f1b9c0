"""Types of strings with validation: names, patterns, hashes, encodings."""

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator


def _like(pattern: str, requirement: str) -> AfterValidator:
    """A check that a whole string matches a pattern."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(requirement)
        return text

    return AfterValidator(check)


def _check_title(name: str) -> str:
    if not name.isprintable():
        raise ValueError("must be printable text")
    return name


def _check_below(path: str) -> str:
    if Path(path).is_absolute() or ".." in Path(path).parts:
        raise ValueError("must be a path below the mirror folder")
    return path


def _check_pattern(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"must be a regular expression ({error})") from None
    return pattern


def _check_encoding(name: str) -> str:
    try:
        "".encode("utf-8" if name == "auto" else name)
    except (LookupError, ValueError):
        raise ValueError("must be one of Python's encodings, such as latin-1, or auto") from None
    return name


def _delimiter(text: str) -> str:
    character = {"\\t": "\t", "tab": "\t"}.get(text, text)
    if len(character) != 1:
        raise ValueError("must be one character, or tab; try ';'")
    return character


# it becomes a folder's name
_NAME = "must be at most 100 letters, digits, spaces, _ . + and -, starting with a letter or digit"
Name = Annotated[str, _like(r"\w[\w .+-]{0,99}", _NAME)]
HubId = Annotated[str, _like(r"(\w[\w.-]*/)?\w[\w.-]*", "must be <owner>/<name>, as on the hub")]
Package = Annotated[str, _like(r"[A-Za-z0-9][\w.-]*==[\w.+!]+", "must be name==version")]
Sha256 = Annotated[str, _like("[0-9a-f]{64}", "must be 64 hexadecimal digits")]
Title = Annotated[str, AfterValidator(_check_title)]
PathInMirror = Annotated[str, AfterValidator(_check_below)]
Pattern = Annotated[str, AfterValidator(_check_pattern)]
Encoding = Annotated[str, AfterValidator(_check_encoding)]
Delimiter = Annotated[str, AfterValidator(_delimiter)]  # as a command line spells it
Escaped = Annotated[str, AfterValidator(lambda text: text.replace("\\n", "\n").replace("\\t", "\t"))]
