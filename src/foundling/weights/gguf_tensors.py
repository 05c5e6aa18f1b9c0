"""Read the tensors of a GGUF file, dequantized by the package gguf."""

import numpy as np
import torch
from torch import Tensor

from foundling.weights.gguf_file import GGUF, StoredTensor, library

CHUNK = 1 << 20  # elements that are dequantized at once


def read_rows(
    file: GGUF,
    tensor: StoredTensor,
    start: int,
    shape: tuple[int, ...],
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """A tensor of this shape and type from a stored one's rows, which are dequantized a few at a time."""
    gguf = library()
    width, count = shape[-1], int(np.prod(shape[:-1]))
    kind = gguf.GGMLQuantizationType[tensor.kind]
    row_bytes = tensor.size // (int(np.prod(tensor.shape)) // width)
    result = torch.empty(count, width, dtype=dtype)
    step = max(1, CHUNK // width)
    for first in range(0, count, step):
        rows = min(step, count - first)
        offset = tensor.offset + (start + first) * row_bytes
        data = np.fromfile(file.path, np.uint8, rows * row_bytes, offset=offset).reshape(rows, row_bytes)
        with np.errstate(all="ignore"):
            result[first : first + rows] = torch.from_numpy(gguf.quants.dequantize(data, kind))
    return result.view(shape)


def require_dequantizable(file: GGUF) -> None:
    """Raise ValueError for a tensor of a type that the package gguf cannot dequantize, as integers."""
    gguf = library()
    for name, tensor in file.tensors.items():
        kind = gguf.GGMLQuantizationType[tensor.kind]
        try:
            gguf.quants.dequantize(np.zeros((1, gguf.GGML_QUANT_SIZES[kind][1]), np.uint8), kind)
        except NotImplementedError:
            raise ValueError(
                f"{file.path}: {name} is of type {tensor.kind}, which the package gguf cannot dequantize; "
                "use a file of another type, as F16 or Q8_0"
            ) from None
