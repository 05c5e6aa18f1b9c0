"""TensorFlow checkpoints, read without TensorFlow: an index of names and files of raw numbers.

The index (`model.ckpt.index`) is a LevelDB table (tensorflow/core/lib/io/format.cc): blocks of sorted keys,
each entry sharing a prefix with the previous one, and a footer that points to the index block. Its values are
protocol buffers (tensorflow/core/protobuf/tensor_bundle.proto): dtype, shape, file, offset, size and CRC-32C
of a tensor, whose bytes are in `model.ckpt.data-0000k-of-0000n`. Neither file contains code.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from math import prod
from pathlib import Path

import torch
from crc32c import crc32c
from torch import Tensor

FOOTER, MAGIC = 48, 0xDB4775248B80FB57
MAX_INDEX_BYTES, MAX_ENTRIES, MAX_KEY_BYTES, MAX_DIMENSIONS = 16 << 20, 100_000, 1000, 8
DTYPES = {
    1: torch.float32,
    2: torch.float64,
    14: torch.bfloat16,
    19: torch.float16,
}  # by number in TensorFlow's types.proto


@dataclass(frozen=True)
class Stored:
    """Where a tensor is stored."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    file: Path
    offset: int  # bytes
    size: int  # bytes
    checksum: int


def read_index(index: Path) -> dict[str, Stored]:
    """The tensors of a checkpoint by name; each has a float type and lies within its file."""
    try:
        entries = list(_entries(index))
    except (ValueError, IndexError, struct.error) as error:
        raise ValueError(
            f"{index} is not a valid TensorFlow checkpoint index ({error}); fetch it again"
        ) from None
    stored: dict[str, Stored] = {}
    for name, kind, tensor in entries:
        file, shape = tensor.file, tensor.shape
        if kind not in DTYPES:
            raise ValueError(f"{index}: {name} has TensorFlow's type number {kind}; must be a float type")
        if not file.is_file():
            raise ValueError(f"{file} is missing; put it into the folder of {index.name}")
        file_size = file.stat().st_size
        if tensor.size != prod(shape) * tensor.dtype.itemsize or tensor.offset + tensor.size > file_size:
            raise ValueError(
                f"{file} has {file_size:,} bytes, and {name} {shape} takes {tensor.size:,} bytes at "
                f"{tensor.offset:,}; the download is incomplete, so fetch it again"
            )
        stored[name] = tensor
    data_bytes = sum(file.stat().st_size for file in {tensor.file for tensor in stored.values()})
    if (tensor_bytes := sum(tensor.size for tensor in stored.values())) > data_bytes:
        raise ValueError(
            f"{index} describes {tensor_bytes:,} bytes of tensors in {data_bytes:,} bytes of data; fetch it "
            f"again"
        )
    return stored


def _entries(index: Path) -> Iterator[tuple[str, int, Stored]]:
    """(name, TensorFlow's type number, location) of each tensor in the index."""
    entries = dict(islice(_table(index), MAX_ENTRIES + 1))
    if len(entries) > MAX_ENTRIES:
        raise ValueError(f"more than {MAX_ENTRIES:,} entries")
    files = _numbers(entries.pop(b"", b"")).get(1, 1)
    stem = index.name.removesuffix(".index")
    for key, value in entries.items():
        fields = {1: 0, 3: 0, 4: 0, 5: 0, 6: 0} | _numbers(value)
        sizes = [size for shape in _nested(value) for size in _nested(shape)]
        if len(sizes) > MAX_DIMENSIONS:
            raise ValueError(f"a tensor of {len(sizes)} dimensions")
        shape = tuple(_numbers(size).get(1, 0) for size in sizes)
        file = index.with_name(f"{stem}.data-{fields[3]:05d}-of-{files:05d}")
        kind = DTYPES.get(fields[1], torch.float32)
        yield key.decode(), fields[1], Stored(kind, shape, file, fields[4], fields[5], fields[6])


def read_tensor(stored: Stored) -> Tensor:
    """Read a tensor and verify its checksum."""
    data = bytearray(stored.size)
    with open(stored.file, "rb") as file:
        file.seek(stored.offset)
        file.readinto(data)
    if _masked(data) != stored.checksum:
        raise ValueError(f"{stored.file} is damaged at byte {stored.offset:,}; fetch it again")
    return torch.frombuffer(data, dtype=stored.dtype).view(stored.shape)


def _table(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a LevelDB table."""
    if path.stat().st_size > MAX_INDEX_BYTES:
        raise ValueError(f"it has more than {MAX_INDEX_BYTES:,} bytes")
    data = path.read_bytes()
    if len(data) < FOOTER or struct.unpack("<Q", data[-8:])[0] != MAGIC:
        raise ValueError("it does not end in a table's footer")
    _, at = _handle(data, len(data) - FOOTER)  # skips the handle of the meta index, which is empty
    (start, size), _ = _handle(data, at)
    for _, handle in _block(data, start, size):
        yield from _block(data, *_handle(handle, 0)[0])


def _block(data: bytes, start: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Entries of a block, which is followed by its compression type (1 byte) and its checksum (4 bytes)."""
    block, compression = data[start : start + size], data[start + size]
    if _masked(data[start : start + size + 1]) != struct.unpack_from("<I", data, start + size + 1)[0]:
        raise ValueError("a block does not match its checksum")
    if compression:
        raise ValueError("its blocks are compressed, which is not supported")
    (restarts,) = struct.unpack("<I", block[-4:])
    at, end, key = 0, size - 4 - 4 * restarts, b""
    while at < end:
        shared, at = _varint(block, at)
        own, at = _varint(block, at)
        length, at = _varint(block, at)
        key = key[:shared] + block[at : at + own]
        if len(key) > MAX_KEY_BYTES:
            raise ValueError(f"a name of more than {MAX_KEY_BYTES} bytes")
        yield key, block[at + own : at + own + length]
        at += own + length


def _handle(data: bytes, at: int) -> tuple[tuple[int, int], int]:
    """The start and size of a block, and the offset after them."""
    start, at = _varint(data, at)
    size, at = _varint(data, at)
    return (start, size), at


def _numbers(message: bytes) -> dict[int, int]:
    """The numeric fields of a protocol buffer."""
    return {field: number for field, number, _ in _fields(message)}


def _nested(message: bytes) -> list[bytes]:
    """The protocol buffers in field 2: an entry's shape, a shape's sizes."""
    return [inner for field, _, inner in _fields(message) if field == 2]


def _fields(message: bytes) -> Iterator[tuple[int, int, bytes]]:
    """A protocol buffer's fields: tag, number, bytes."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, inner = 0, b""
        if tag & 7 == 0:
            number, at = _varint(message, at)
        elif tag & 7 == 2:
            length, at = _varint(message, at)
            inner, at = message[at : at + length], at + length
        elif tag & 7 == 5:
            (number,), at = struct.unpack_from("<I", message, at), at + 4
        else:
            raise ValueError(f"wire type {tag & 7} is unknown")
        yield tag >> 3, number, inner


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number in groups of 7 bits, lowest first, and the offset after it."""
    value = shift = 0
    while shift < 70:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
    raise ValueError("a number of more than 64 bits")


def _masked(data: bytes | bytearray) -> int:
    """CRC-32C, masked as in LevelDB (crc32c.h), since a CRC of data that contains CRCs is weak."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
