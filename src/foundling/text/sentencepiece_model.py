"""SentencePiece's tokenizer.model, a protocol buffer, as a tokenizer.json."""

import base64
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from foundling.text.sentencepiece import NORMAL, Piece, bpe_json, unigram_json

LARGEST = 64 << 20  # bytes
# the numbers of fields in sentencepiece_model.proto
PIECES, TRAINER, NORMALIZER = 1, 2, 3
MODEL_TYPE: Final = 3
CHARACTER_MAP, ADD_PREFIX, REMOVE_SPACES = 2, 3, 4
TYPES: Final = {1: "unigram", 2: "bpe"}  # by the trainer's model_type
ROLES: Final = {  # a name's field in the trainer's settings, and its default
    "unk_token": (45, b"<unk>"),
    "bos_token": (46, b"<s>"),
    "eos_token": (47, b"</s>"),
    "pad_token": (48, b"<pad>"),
}
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types


def read_sentencepiece(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """The values of a tokenizer.json, and the tokens with a role. ValueError for any other file."""
    if path.stat().st_size > LARGEST:
        raise ValueError(f"{path} has more than {LARGEST:,} bytes; a tokenizer.model has a few million")
    try:
        return _convert(path.read_bytes())
    except (IndexError, KeyError, TypeError, AttributeError, UnicodeDecodeError, struct.error) as error:
        raise ValueError(
            f"{path} is not a valid SentencePiece model ({type(error).__name__}: {error}); fetch it again"
        ) from None


def _convert(data: bytes) -> tuple[dict[str, Any], dict[str, str]]:
    pieces: list[Piece] = []
    trainer: dict[int, Any] = {}
    normalizer: dict[int, Any] = {}
    for number, value in _fields(data):
        if number == PIECES:
            fields = dict(_fields(value))
            (score,) = struct.unpack("<f", fields.get(2, bytes(4)))
            pieces.append(Piece(fields[1].decode(), score, fields.get(3, NORMAL)))
        elif number == TRAINER:
            trainer = dict(_fields(value))
        elif number == NORMALIZER:
            normalizer = dict(_fields(value))
    kind = trainer.get(MODEL_TYPE, 1)
    if kind not in TYPES:
        raise ValueError(f"a SentencePiece model of type {kind}: must be unigram or bpe")
    charsmap = base64.b64encode(normalizer.get(CHARACTER_MAP, b"")).decode()
    make = {"unigram": unigram_json, "bpe": bpe_json}[TYPES[kind]]
    values = make(
        pieces,
        add_prefix=bool(normalizer.get(ADD_PREFIX, 1)),
        character_map=charsmap or None,
        remove_spaces=bool(normalizer.get(REMOVE_SPACES, 1)),
    )
    return values, _names(pieces, trainer)


def _names(pieces: list[Piece], trainer: dict[int, Any]) -> dict[str, str]:
    """The tokens with a role, by their names in the trainer's settings."""
    known = {piece.text for piece in pieces}
    names = {role: trainer.get(field, default).decode() for role, (field, default) in ROLES.items()}
    return {role: name for role, name in names.items() if name in known}


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a message: its number, and an integer or bytes."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        size = {FIXED64: 8, FIXED32: 4}.get(kind)
        if kind == BYTES:
            size, at = _varint(data, at)
        if size is None or at + size > len(data):
            raise IndexError(f"field {number} at byte {at:,} does not fit")
        yield number, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise IndexError(f"a number at byte {at:,} does not end")
