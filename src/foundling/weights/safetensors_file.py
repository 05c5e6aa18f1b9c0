"""Read tensors of a safetensors file in a chosen type, for hardly more memory than they take in it."""

from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

CHUNK = 1 << 20  # elements that are converted at once
STORED = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}


def is_stored_as(dtype: torch.dtype, name: str, file: Any) -> bool:
    """Whether a tensor of an opened file has this type."""
    return bool(file.get_slice(name).get_dtype() == STORED.get(dtype))


def read_tensor(path: Path, name: str, dtype: torch.dtype, start: int = 0, rows: int | None = None) -> Tensor:
    """A tensor, or `rows` of its rows from `start` on. A whole tensor of this type is not copied.

    The file is opened anew for each tensor and each chunk that is converted: what is read stays in memory for
    as long as the file is open.
    """
    with safe_open(path, framework="pt") as file:
        shape = file.get_slice(name).get_shape()
        if not shape or (rows in (None, shape[0]) and is_stored_as(dtype, name, file)):
            return file.get_tensor(name).to(dtype)
    result = torch.empty((shape[0] if rows is None else rows, *shape[1:]), dtype=dtype)
    step = max(1, CHUNK // max(1, result[:1].numel()))
    for first in range(0, len(result), step):
        part = result[first : first + step]
        with safe_open(path, framework="pt") as file:
            part.copy_(file.get_slice(name)[start + first : start + first + len(part)])
    return result
