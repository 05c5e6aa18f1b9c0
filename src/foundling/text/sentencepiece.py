"""SentencePiece's vocabularies as a tokenizer.json: pieces with scores, as tokenizer.model and GGUF hold them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from foundling.text.token_bytes import META_SPACE
from foundling.text.tokenizer_json import added_token, tokenizer_json

# the types of pieces (sentencepiece_model.proto; GGUF uses the same numbers)
NORMAL: Final = 1
UNKNOWN_PIECE: Final = 2
CONTROL: Final = 3
USER_DEFINED: Final = 4
UNUSED: Final = 5
BYTE: Final = 6


@dataclass(frozen=True)
class Piece:
    """A token, its score (the higher, the sooner it is merged) and its type."""

    text: str
    score: float
    kind: int


def bpe_json(pieces: Sequence[Piece], add_prefix: bool) -> dict[str, Any]:
    """The tokenizer.json of a BPE; with `add_prefix`, texts get a space in front."""
    unknown = next((piece.text for piece in pieces if piece.kind == UNKNOWN_PIECE), None)
    model = {
        "type": "BPE",
        "dropout": None,
        "unk_token": unknown,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": True,
        "byte_fallback": any(piece.kind == BYTE for piece in pieces),
        "ignore_merges": False,
        "vocab": {piece.text: i for i, piece in enumerate(pieces)},
        "merges": _merges(pieces),
    }
    to_meta = {"type": "Replace", "pattern": {"String": " "}, "content": META_SPACE}
    from_meta = {"type": "Replace", "pattern": {"String": META_SPACE}, "content": " "}
    prepend = [{"type": "Prepend", "prepend": META_SPACE}] if add_prefix else []
    strip = [{"type": "Strip", "content": " ", "start": 1, "stop": 0}] if add_prefix else []
    return tokenizer_json(
        model,
        added=added_pieces(pieces),
        normalizer={"type": "Sequence", "normalizers": [*prepend, to_meta]},
        pre_tokenizer=None,
        decoder={"type": "Sequence", "decoders": [from_meta, {"type": "ByteFallback"}, {"type": "Fuse"}, *strip]},
    )


def _merges(pieces: Sequence[Piece]) -> list[list[str]]:
    """All pairs of pieces that make another one, the highest score of what they make first.

    SentencePiece stores no merges: any two neighbours may be merged that are a piece together.
    """
    usable = {piece.text: piece.score for piece in pieces if piece.kind in (NORMAL, USER_DEFINED, UNUSED)}
    ids = {piece.text: i for i, piece in enumerate(pieces)}
    pairs = []
    for text, score in usable.items():
        for at in range(1, len(text)):
            left, right = text[:at], text[at:]
            if left in usable and right in usable:
                pairs.append((-score, ids[left], ids[right], [left, right]))
    return [pair for *_, pair in sorted(pairs)]


def added_pieces(pieces: Sequence[Piece]) -> list[dict[str, Any]]:
    """The pieces that are found in texts as a whole: special ones, and those that users defined."""
    special = {CONTROL: True, UNKNOWN_PIECE: True, USER_DEFINED: False}
    return [added_token(i, piece.text, special[piece.kind]) for i, piece in enumerate(pieces) if piece.kind in special]
