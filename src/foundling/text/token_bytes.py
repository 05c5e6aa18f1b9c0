"""The bytes that each token of a published vocabulary stands for, by the kind of its decoder."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from foundling.text.byte_alphabet import from_printable

META_SPACE = "▁"  # SentencePiece's space
BYTE_PIECE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


def bytes_of(tokens: Sequence[str], added: Mapping[int, str], decoder: Any) -> list[bytes]:
    """The bytes of each token, given all tokens by id, those that were added, and the library's decoder.

    The space that a decoder removes at the beginning of a text is kept, so that a text is its tokens joined.
    """
    of_token = _reader(_steps(decoder))
    return [added[i].encode() if i in added else of_token(token) for i, token in enumerate(tokens)]


def _steps(decoder: Any) -> dict[str, dict[str, Any]]:
    """The decoder's steps by their type; a sequence is resolved into its steps."""
    if decoder is None:
        return {}
    values = json.loads(decoder.__getstate__())
    steps = values["decoders"] if values["type"] == "Sequence" else [values]
    return {step["type"]: step for step in steps}


def _reader(steps: Mapping[str, dict[str, Any]]) -> Callable[[str], bytes]:
    if "ByteLevel" in steps:
        return _byte_level
    if "WordPiece" in steps:
        prefix = steps["WordPiece"]["prefix"]
        return lambda token: _word_piece(token, prefix)
    if "BPEDecoder" in steps:
        suffix = steps["BPEDecoder"]["suffix"]
        return lambda token: token.replace(suffix, " ").encode()
    if "Metaspace" in steps or "Replace" in steps:
        return lambda token: _pieces(token, byte_fallback="ByteFallback" in steps)
    return str.encode


def _word_piece(token: str, prefix: str) -> bytes:
    text = token.removeprefix(prefix) if token.startswith(prefix) else f" {token}"
    return text.encode()


def _byte_level(token: str) -> bytes:
    try:
        return from_printable(token)
    except KeyError:  # not of the alphabet: as the library decodes it
        return token.encode()


def _pieces(token: str, byte_fallback: bool) -> bytes:
    if byte_fallback and (match := BYTE_PIECE.fullmatch(token)):
        return bytes([int(match[1], 16)])
    return token.replace(META_SPACE, " ").encode()
