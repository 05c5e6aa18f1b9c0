"""The schemas of metrics/*.json, each shared by the stage that writes the file and the code that reads it.

A schema is a frozen dataclass whose fields are the keys of the file, in order:

    @dataclass(frozen=True, config=SCHEMA, kw_only=True)
    class Pretrain:
        val_loss: float            # the key "val/loss"
        tokens: int
        sources: Mapping[str, Text] | None = None   # a field with its default value is omitted from the file
"""

from pathlib import Path
from typing import Any, TypeVar, get_origin

from pydantic import ConfigDict, TypeAdapter

from foundling.artifacts import read_json, write_json
from foundling.validation import build

T = TypeVar("T")


def _key(field: str) -> str:
    """The metric's name in the file, in W&B and in the progress bar: val_loss -> val/loss."""
    return field.replace("val_", "val/", 1) if field.startswith("val_") else field


SCHEMA = ConfigDict(
    strict=True, extra="forbid", alias_generator=_key, validate_by_name=True, validate_by_alias=True
)


def write_metrics(path: Path | str, metrics: Any) -> None:
    """Write an instance of a schema as JSON."""
    write_json(path, to_plain(metrics))


def read_metrics(path: Path | str, schema: type[T]) -> T:
    """Read an instance of a schema, or a tuple of them; ValueError names a missing or invalid file."""
    return from_plain(read_json(path, list if get_origin(schema) is tuple else dict), schema, path)


def to_plain(metrics: Any) -> Any:
    """An instance of a schema as JSON values, under the keys of the file."""
    return TypeAdapter(type(metrics)).dump_python(metrics, mode="json", by_alias=True, exclude_defaults=True)


def from_plain(values: Any, schema: type[T], path: Path | str) -> T:
    """JSON values read from `path` as an instance of a schema."""
    try:
        return build(schema, values, "")
    except ValueError as error:
        raise ValueError(f"{path}: {error}; run the stage that writes it again") from None
