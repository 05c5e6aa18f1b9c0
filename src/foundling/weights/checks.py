"""Compare the tensors of a file with a config before any is read; problems are named in one line."""

from collections.abc import Mapping, Sequence
from typing import Any

MAX_REPORTED = 8  # problems named in one message


def require_layers(where: str, config: Any, tensors: Mapping[str, Any]) -> None:
    """Raise ValueError if a config has more layers than there are tensors, before any layer is built."""
    shape = getattr(config, "trunk", config)
    layers = sum(getattr(shape, name, 0) for name in ("n_layer", "n_encoder", "n_decoder"))
    if layers > len(tensors):
        raise ValueError(
            f"{where} does not match its config, which has {layers:,} layers for {len(tensors):,} tensors; "
            f"use the config.json that belongs to it"
        )


def check_shapes(
    where: str, actual: Mapping[str, tuple[int, ...]], expected: Mapping[str, tuple[int, ...]]
) -> None:
    """Compare tensors' shapes by name; ValueError names missing, unexpected and wrongly shaped ones."""
    problems = [f"{name} is missing" for name in expected if name not in actual]
    problems += [f"{name} is unexpected" for name in actual if name not in expected]
    for name, shape in expected.items():
        if actual.get(name, shape) != shape:
            problems.append(f"{name} has shape {actual[name]}, expected {shape}")
    if problems:
        raise ValueError(f"{where} does not match its config: {join_first(problems)}")


def join_first(problems: Sequence[str], separator: str = "; ") -> str:
    """The first problems in one line, and how many more there are."""
    more = [f"and {len(problems) - MAX_REPORTED} more"] if len(problems) > MAX_REPORTED else []
    return separator.join([*problems[:MAX_REPORTED], *more])
