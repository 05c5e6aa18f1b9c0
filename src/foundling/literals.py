"""Write values as literals of Hydra's override grammar, and tell which settings are texts.

A text setting is one whose type is a string. Its value is taken literally: commas, parentheses, quotes and
`${` have no special meaning in it.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

# one value of a sweep over texts: in quotes, or up to the next comma without a backslash before it
ONE_OF_SEVERAL = re.compile(
    r"""\s*('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|(?:\\,|[^,])*)\s*(?:,|$)""", re.DOTALL
)
# settings for the user's own texts, in which even `null` and a sweep's commas are text
WORDS = ("generate.prompt", "predict.text", "translate.text", "chat.system")


def quoted(text: str) -> str:
    """A text as a quoted value of Hydra's grammar that composes to exactly this text."""
    from hydra.core.override_parser.types import Quote, QuotedString

    if text == "???":  # marks a missing value in OmegaConf, unless it results from an interpolation
        return """'${oc.env:FOUNDLING_UNSET,"???"}'"""
    # OmegaConf reads `${` as an interpolation, unless an odd number of backslashes precedes it
    escaped = re.sub(r"(\\*)\$\{", lambda match: match[1] * 2 + "\\${", text)
    return QuotedString(escaped, Quote.single).with_quotes()


def as_typed(value: str) -> str:
    """The text that `quoted` gave Hydra as this value."""
    return re.sub(r"(\\+)\$\{", lambda match: match[1][: len(match[1]) // 2] + "${", value)


def quoted_override(argument: str, multirun: bool) -> str:
    """An override as it was typed, but with its value quoted if the key is a text setting."""
    key, equals, value = argument.partition("=")
    name = key.removeprefix("++")
    if not equals or not is_text(name) or (value == "null" and may_be_null(name)):
        return argument
    if not multirun or name in WORDS:
        return f"{key}={quoted(value)}"
    if re.match(r"(choice|shuffle|sort|range|interval|glob|tag)\(", value):
        return argument
    nullable = may_be_null(name)
    values = [_unquoted(match[1]) for match in ONE_OF_SEVERAL.finditer(value) if match[0]] or [""]
    return f"{key}=" + ",".join("null" if one == "null" and nullable else quoted(one) for one in values)


def _unquoted(value: str) -> str:
    """A value of a sweep: the text in its quotes, or the text with `\\,` for a comma."""
    if value[:1] in ("'", '"') and value[-1:] == value[:1] and len(value) > 1:
        return re.sub(rf"\\({value[0]}|\\)", r"\1", value[1:-1])
    return value.replace("\\,", ",").rstrip()


def literal(value: Any) -> str:
    """A YAML value in Hydra's grammar. A text that is exactly `${key of a setting}` stays a reference."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{_key(key)}:{literal(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(literal, value)) + "]"
    if isinstance(value, str):
        if value[:2] == "${" and value[-1] == "}" and types_of(value[2:-1]):
            return f"'{value}'"
        is_word = value.isascii() and value.isidentifier()
        return (
            value
            if is_word and value.lower() not in ("null", "true", "false", "inf", "nan")
            else quoted(value)
        )
    if value is not None and not isinstance(value, bool | int | float):
        raise ValueError(
            f"a value is of type {type(value).__name__} ({str(value)[:60]!r}); it must be a text or a "
            f"number; quote it"
        )
    return json.dumps(value)


def types_of(key: str) -> list[Any]:
    """The types that a setting may have, by its dotted key; none for an unknown one."""
    from foundling.settings import Settings

    types: list[Any] = [Settings]
    for part in key.split("."):
        types = [inner for kind in types for inner in inner_types(kind, part)]
    return types


def is_text(key: str) -> bool:
    """Whether a dotted key names a text setting."""
    types = types_of(key)
    return str in types and all(kind in (str, NoneType) for kind in types)


def may_be_null(key: str) -> bool:
    """Whether `null` means null in this text setting, rather than the word."""
    return key not in WORDS and NoneType in types_of(key)


def is_section(key: str) -> bool:
    """Whether a dotted key names a section, whose settings can be overridden one by one, or is unknown."""
    types = types_of(key)
    return all(is_dataclass(kind) for kind in types)


def inner_types(kind: Any, part: str) -> list[Any]:
    """The types of one field of a section, value of a mapping, or item of a list."""
    if is_dataclass(kind):
        fields = kind.__pydantic_fields__  # type: ignore[union-attr]
        return _members(fields[part].annotation) if part in fields else []
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Mapping:
        return _members(arguments[1])
    return _members(arguments[0]) if origin is tuple and part.isdigit() else []


def _members(kind: Any) -> list[Any]:
    """The members of a union, without the annotations of their ranges."""
    if get_origin(kind) is Annotated:
        return _members(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return [member for one in get_args(kind) for member in _members(one)]
    return [kind]


def _key(key: Any) -> str:
    """A key of a mapping; Hydra's grammar cannot quote keys, so it allows fewer characters than YAML."""
    if isinstance(key, str) and not re.fullmatch(r"[A-Za-z0-9_/\-+.%*@?| ]+", key):
        raise ValueError(
            f"the key {key!r} cannot be set here: Hydra's keys are ASCII; set it in a file of conf/"
        )
    return key if isinstance(key, str) else json.dumps(key)
