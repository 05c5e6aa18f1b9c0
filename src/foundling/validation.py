"""Turn plain values into validated dataclasses: `build` returns an instance or raises a one-line ValueError.

A settings class is a frozen pydantic dataclass whose field types define the allowed values:

    @dataclass(frozen=True, config=STRICT)
    class Sampling:
        temperature: Annotated[float, Ge(0)]
        method: Literal["greedy", "sample"]
        top_k: Annotated[int, Ge(1)] | None

A field validator raises ValueError("must be …; fix"); a model validator, which checks several fields at once,
raises ValueError("field=value: must be …; fix"). `build` puts the key in front.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, to_json

STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
SHOWN_ERRORS = 3
SHOWN_CHARACTERS = 60

_TYPES = {
    "int_type": "must be an integer",
    "int_from_float": "must be an integer",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "string_type": "must be a string",
    "path_type": "must be a path",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping",
    "dataclass_type": "must be a mapping",
}
_REQUIREMENTS = {
    "greater_than": "must be above {gt:,}",
    "greater_than_equal": "must be at least {ge:,}",
    "less_than": "must be below {lt:,}",
    "less_than_equal": "must be at most {le:,}",
    "finite_number": "must be a finite number",
    "none_required": "must be null",
    "literal_error": "must be one of {expected}",
    "value_error": "{error}",
}
_NAMES = {
    str: "a string",
    int: "an integer",
    float: "a float",
    bool: "a boolean",
    list: "a list",
    type(None): "null",
}

T = TypeVar("T")


def build(cls: type[T], values: object, where: str) -> T:
    """Validate plain values, as read from YAML or JSON, and return them as an instance of `cls`.

    Nothing is coerced: a string is never a number, and neither is a boolean. An integer is accepted where a
    float is declared; a list becomes a tuple, and a nested mapping the dataclass that its field declares.

    Args:
        cls: a pydantic dataclass with `config=STRICT`.
        values: its fields by name.
        where: the prefix of keys in messages ("model", "models/base/config.json: trunk"), or "".

    Raises:
        ValueError: one line with the keys that are wrong, their values, and what is allowed.
    """
    try:
        # In pydantic's strict mode only JSON has lists for tuples and mappings for dataclasses.
        return TypeAdapter(cls).validate_json(to_json(values, inf_nan_mode="constants"))
    except ValidationError as error:
        raise ValueError(_one_line(error.errors(include_url=False), values, where)) from None


def _one_line(errors: list[ErrorDetails], values: Any, where: str) -> str:
    requirements: dict[str, list[str]] = {}  # by key and value: a union has one for each of its members
    settings = set()
    for details in errors:
        subject, requirement = _describe(details, values, where)
        path, _, value = subject.partition("=")
        setting = (path.rpartition(".")[2], value)
        if value and ".sources." in path and setting in settings and subject not in requirements:
            continue  # a source's setting refers to its section's, which is already named
        settings.add(setting)
        requirements.setdefault(subject, []).append(requirement)
    lines = []
    for subject, several in requirements.items():
        first, *others = dict.fromkeys(several)
        lines.append(subject + " or ".join([first, *(other.removeprefix("must be ") for other in others)]))
    if len(lines) > SHOWN_ERRORS:
        lines[SHOWN_ERRORS:] = [f"and {len(lines) - SHOWN_ERRORS} more"]
    return "; ".join(lines)


def _describe(details: ErrorDetails, values: Any, where: str) -> tuple[str, str]:
    """One error as a subject ("model.n_embd=0: ") and a requirement ("must be at least 1")."""
    kind, location = details["type"], details["loc"]
    absent = kind in ("missing", "unexpected_keyword_argument")
    path, value = _locate(location[:-1] if absent else location, values)
    if absent:
        path.append(str(location[-1])[:SHOWN_CHARACTERS])
    key = ".".join([where, *path] if where else path)
    if kind == "missing":
        return f"{key} ", "is missing"
    if absent:
        return f"{key}: ", "unknown key; remove it"
    limits = {name: _whole(limit) for name, limit in details.get("ctx", {}).items()}
    # of a mapping's key, or of a model, which names its field
    if kind == "value_error" and isinstance(value, Mapping):
        separator = ": " if location[-1:] == ("[key]",) else "."
        return f"{key}{separator}" if key else "", str(limits["error"])
    if kind in _TYPES:
        requirement = f"{_TYPES[kind]}, not {_NAMES.get(type(value), 'a mapping')}"
    elif kind in _REQUIREMENTS:
        requirement = _REQUIREMENTS[kind].format(**limits)
    else:
        requirement = details["msg"]
    if kind == "literal_error":
        requirement = requirement.replace("'", "")
    return f"{key}={_shown(value)}: ", requirement


def _locate(location: tuple[int | str, ...], values: Any) -> tuple[list[str], Any]:
    """The keys that lead to a value, without those that name a member of a union, and the value."""
    path = []
    for part in location:
        key_of_mapping = isinstance(values, Mapping) and part in values
        if key_of_mapping or (isinstance(values, list | tuple) and isinstance(part, int)):
            values = values[part]
            path.append(str(part))
    return path, values


def _whole(limit: Any) -> Any:
    return int(limit) if isinstance(limit, float) and limit.is_integer() else limit


def _shown(value: Any) -> str:
    """A value as it is written in YAML, shortened."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"
