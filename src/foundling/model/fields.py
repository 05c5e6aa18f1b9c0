"""Whether a dataclass holds what its fields are declared to hold: what comes from a file may be anything."""

import dataclasses
import math
from types import NoneType, UnionType
from typing import Any, get_args, get_origin


def require_types(values: Any, where: str) -> None:
    """Raise ValueError for the first field of a dataclass that is of another type, or no finite number.

    A whole number passes where a float is declared, and True or False never as a number.
    """
    for field in dataclasses.fields(values):
        found = getattr(values, field.name)
        if not _fits(found, field.type):
            raise ValueError(
                f"{where}.{field.name}={str(found)[:60]!r} of type {type(found).__name__} is not allowed; it is "
                f"{_name(field.type)}; mend it"
            )


def _fits(value: Any, kind: Any) -> bool:
    if isinstance(kind, UnionType):
        return any(_fits(value, one) for one in get_args(kind))
    if get_origin(kind) is tuple:
        return isinstance(value, tuple | list) and all(_fits(item, get_args(kind)[0]) for item in value)
    if kind in (int, float):
        if isinstance(value, float) and kind is float:
            return math.isfinite(value)
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kind)


def _name(kind: Any) -> str:
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "a text", NoneType: "null"}
    if isinstance(kind, UnionType):
        return " or ".join(_name(one) for one in get_args(kind))
    if get_origin(kind) is tuple:
        return f"a list, each {_name(get_args(kind)[0])}"
    return names.get(kind, getattr(kind, "__name__", str(kind)))
