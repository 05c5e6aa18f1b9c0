"""Read YAML as plain values: malformed or oversized files raise a one-line error, and no tag runs code."""

from pathlib import Path
from typing import Any

import yaml

LARGEST, MOST_VALUES = 1 << 20, 10_000  # bytes of a file; values after expanding aliases


def read_yaml(path: Path) -> Any:
    """The plain values in a YAML file; malformed, ambiguous or oversized ones raise a one-line ValueError."""
    with open(path, "rb") as file:
        return parse_yaml(file.read(LARGEST + 1), path)


def parse_yaml(content: bytes, path: Path | str) -> Any:
    """The plain values in the content of the YAML file `path`, as `read_yaml` reads it."""
    try:
        if len(content) > LARGEST:
            raise ValueError(f"it has more than {LARGEST:,} bytes")
        values = yaml.load(content.decode("utf-8"), _Plain)
        _require_few(values)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        where = f", line {error.problem_mark.line + 1}" if getattr(error, "problem_mark", None) else ""  # type: ignore[union-attr]
        reason = getattr(error, "problem", None) or str(error)
        raise ValueError(f"{path}{where} cannot be read as plain YAML ({reason}); fix the file") from None
    return values


def _require_few(values: Any) -> None:
    """Raise ValueError for too many values: aliases may expand to more than fits into memory, or forever."""
    waiting, count = [values], 0
    while waiting:
        value = waiting.pop()
        count += 1
        if count > MOST_VALUES:
            raise ValueError(f"its aliases expand to more than {MOST_VALUES:,} values")
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


class _Plain(yaml.SafeLoader):  # type: ignore[misc]
    """Loads plain values only, and raises an error for a duplicate key instead of overwriting it."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        """Build a mapping."""
        seen = set()
        for key, _ in node.value:
            if key.value in seen and isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(
                    None, None, f"duplicate key {key.value!r}", key.start_mark
                )
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else None)
        return super().construct_mapping(node, deep)
