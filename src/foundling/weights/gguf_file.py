"""GGUF files: their metadata, and where each tensor's bytes are (ggml/docs/gguf.md). No tensor is read here.

Every count and length in a file is compared with the file's size before it is used.
"""

import logging
import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

SUFFIX = ".gguf"
MAGIC, VERSIONS, ALIGNMENT = b"GGUF", (2, 3), 32
MAX_ENTRIES, MAX_ELEMENTS, MAX_DIMENSIONS, MAX_NAME, MAX_TEXT = 100_000, 4_000_000, 4, 1000, 16 << 20
STRING, ARRAY = 8, 9
SCALARS = {  # by number in gguf.md: struct's and numpy's format
    **{0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i"},
    **{6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"},
}


@dataclass(frozen=True)
class StoredTensor:
    """Where a tensor is stored: its rows follow each other, each of whole blocks of its type."""

    shape: tuple[int, ...]  # in PyTorch's order, the reverse of GGUF's
    kind: str  # a name of gguf.GGMLQuantizationType
    offset: int  # bytes from the start of the file
    size: int  # bytes


@dataclass(frozen=True)
class GGUF:
    """The contents of a file but for the tensors' values."""

    path: Path
    metadata: Mapping[str, Any]
    tensors: Mapping[str, StoredTensor]


def find(path: Path) -> Path | None:
    """The GGUF file that a path names: itself, or the only one in a folder; None without one."""
    if path.is_file():
        return path if path.suffix.lower() == SUFFIX else None
    files = sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() else []
    if len(files) > 1:
        names = ", ".join(file.name for file in files[:4])
        raise ValueError(f"{path} has {len(files)} GGUF files ({names}); name one of them")
    return files[0] if files else None


def read_gguf(path: Path) -> GGUF:
    """Read a file's metadata and its index of tensors; ValueError says what is wrong with it in one line."""
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _read(path, data)
    except (_InvalidError, struct.error, UnicodeDecodeError, ValueError) as error:  # mmap's, of an empty file
        reason = "it ends early" if isinstance(error, struct.error) else str(error)
        raise ValueError(f"{path} is not a valid GGUF file ({reason}); fetch it again") from None


class _InvalidError(Exception):
    pass


def _read(path: Path, data: mmap.mmap) -> GGUF:
    reader = _Reader(data)
    if data[:4] != MAGIC:
        raise _InvalidError("it does not begin with GGUF")
    reader.at = 4
    version = reader.number("I")
    if version not in VERSIONS:
        order = ", or the file is big-endian" if version & 0xFFFF == 0 else ""
        raise _InvalidError(f"version {version:,}; must be 2 or 3{order}")
    tensor_count, key_count = reader.count("Q", MAX_ENTRIES), reader.count("Q", MAX_ENTRIES)
    metadata: dict[str, Any] = {}
    for _ in range(key_count):
        key = reader.text(MAX_NAME)
        if key in metadata:
            raise _InvalidError(f"the key {key!r} occurs twice")
        metadata[key] = reader.value(reader.number("I"))
    described = [reader.tensor() for _ in range(tensor_count)]
    alignment = metadata.get("general.alignment", ALIGNMENT)
    if not isinstance(alignment, int) or not 1 <= alignment <= 1 << 20:
        raise _InvalidError(f"general.alignment={alignment}")
    start = -(-reader.at // alignment) * alignment
    tensors: dict[str, StoredTensor] = {}
    for name, shape, kind, offset in described:
        tensors[name] = _located(name, shape, kind, start + offset, len(data))
    if len(tensors) < tensor_count:
        raise _InvalidError("two tensors have the same name")
    if (claimed := sum(tensor.size for tensor in tensors.values())) > len(data):
        raise _InvalidError(f"it describes {claimed:,} bytes of tensors in {len(data):,} bytes")
    return GGUF(path, metadata, tensors)


def _located(name: str, shape: tuple[int, ...], number: int, offset: int, file_size: int) -> StoredTensor:
    """The tensor's place, if its type is known and it lies within the file."""
    gguf = library()
    try:
        kind = gguf.GGMLQuantizationType(number)
    except ValueError:
        raise _InvalidError(
            f"{name} has type number {number}, which the package gguf does not know"
        ) from None
    block, block_bytes = gguf.GGML_QUANT_SIZES[kind]
    if not shape or shape[-1] % block or 0 in shape:
        raise _InvalidError(
            f"{name} has shape {shape}; rows of type {kind.name} must be multiples of {block}"
        )
    size = prod(shape) // block * block_bytes
    if offset + size > file_size:
        raise _InvalidError(
            f"it has {file_size:,} bytes, and {name} {shape} takes {size:,} bytes at {offset:,}; it is "
            f"incomplete"
        )
    return StoredTensor(shape, kind.name, offset, size)


class _Reader:
    """Reads values one after the other."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data, self.at, self.elements = data, 0, 0

    def number(self, kind: str) -> Any:
        (value,) = struct.unpack_from(f"<{kind}", self.data, self.at)
        self.at += struct.calcsize(f"<{kind}")
        # the shortest decimal number with the same float32, as other formats write it: 1e-5
        return float(str(np.float32(value))) if kind == "f" else value

    def count(self, kind: str, most: int) -> int:
        value: int = self.number(kind)
        if value > most:
            raise _InvalidError(f"a count or length of {value:,}; must be at most {most:,}")
        return value

    def text(self, longest: int = MAX_TEXT) -> str:
        length = self.count("Q", longest)
        if self.at + length > len(self.data):
            raise _InvalidError("it ends early")
        self.at += length
        return self.data[self.at - length : self.at].decode()

    def value(self, kind: int) -> Any:
        """A metadata value; an array becomes a list."""
        if kind == STRING:
            return self.text()
        if kind in SCALARS:
            return self.number(SCALARS[kind])
        if kind != ARRAY:
            raise _InvalidError(f"a value of type number {kind}")
        inner = self.number("I")
        length = self.count("Q", MAX_ELEMENTS - self.elements)
        self.elements += length
        if inner == STRING:
            return [self.text() for _ in range(length)]
        if inner not in SCALARS:
            raise _InvalidError(f"an array of type number {inner}")
        dtype = np.dtype(f"<{SCALARS[inner]}" if SCALARS[inner] != "?" else "?")
        if self.at + length * dtype.itemsize > len(self.data):
            raise _InvalidError("it ends early")
        values = np.frombuffer(self.data, dtype, length, self.at).copy()
        self.at += length * dtype.itemsize
        return values.tolist()

    def tensor(self) -> tuple[str, tuple[int, ...], int, int]:
        """(name, shape, type number, offset in the data section) of a tensor."""
        name = self.text(MAX_NAME)
        shape = tuple(self.number("Q") for _ in range(self.count("I", MAX_DIMENSIONS)))
        return name, shape[::-1], self.number("I"), self.number("Q")


def library() -> Any:
    """The package gguf, which takes a moment to import."""
    import gguf

    logging.getLogger("gguf").setLevel(logging.WARNING)  # it logs each file that it writes
    return gguf
