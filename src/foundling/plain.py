"""A YAML file to plain values: a damaged, ambiguous or endless one is an error of one line, and none names code."""

from pathlib import Path
from typing import Any

import yaml

LARGEST, MOST_VALUES = 1 << 20, 10_000  # bytes of a file, values that it stands for


def read_yaml(path: Path) -> Any:
    """Plain values of a YAML file: a damaged, ambiguous or endless one raises ValueError of one line."""
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError(f"it has more than {LARGEST:,} bytes")
        values = yaml.load(path.read_text(encoding="utf-8"), _Plain)
        _require_few(values)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        where = f", line {error.problem_mark.line + 1}" if getattr(error, "problem_mark", None) else ""  # type: ignore[union-attr]
        reason = getattr(error, "problem", None) or str(error)
        raise ValueError(f"{path}{where} cannot be read ({reason}); allowed is plain YAML; mend it") from None
    return values


def _require_few(values: Any) -> None:
    """Raise ValueError for too many values: aliases may stand for more than memory holds, or for themselves."""
    waiting, count = [values], 0
    while waiting:
        value = waiting.pop()
        count += 1
        if count > MOST_VALUES:
            raise ValueError(f"it stands for more than {MOST_VALUES:,} values")
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


class _Plain(yaml.SafeLoader):  # type: ignore[misc]
    """Plain values alone; a key that comes twice is refused instead of overwritten."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        """Build a mapping."""
        seen = set()
        for key, _ in node.value:
            if key.value in seen and isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} comes twice", key.start_mark
                )
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else None)
        return super().construct_mapping(node, deep)
