"""SentencePiece's vocabularies, pieces with scores as in tokenizer.model and GGUF, as a tokenizer.json."""

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


_TO_META = {"type": "Replace", "pattern": {"String": " "}, "content": META_SPACE}
_FROM_META = {"type": "Replace", "pattern": {"String": META_SPACE}, "content": " "}
_PREPEND = {"type": "Prepend", "prepend": META_SPACE}


def bpe_json(
    pieces: Sequence[Piece],
    *,
    add_prefix: bool,
    character_map: str | None = None,
    remove_spaces: bool = False,
) -> dict[str, Any]:
    """The tokenizer.json of a BPE.

    Args:
        pieces: the vocabulary, in the order of ids.
        add_prefix: whether texts get a space in front.
        character_map: how characters are normalized, in SentencePiece's own format as base64.
        remove_spaces: whether spaces are removed at the ends of texts, and all but one elsewhere.
    """
    model = {
        "type": "BPE",
        "dropout": None,
        "unk_token": next((piece.text for piece in pieces if piece.kind == UNKNOWN_PIECE), None),
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": True,
        "byte_fallback": any(piece.kind == BYTE for piece in pieces),
        "ignore_merges": False,
        "vocab": {piece.text: i for i, piece in enumerate(pieces)},
        "merges": _merges(pieces),
    }
    return _file(pieces, model, add_prefix, character_map, remove_spaces)


def unigram_json(
    pieces: Sequence[Piece],
    *,
    add_prefix: bool,
    character_map: str | None = None,
    remove_spaces: bool = False,
) -> dict[str, Any]:
    """The tokenizer.json of a Unigram model (Kudo 2018); the arguments are those of `bpe_json`."""
    model = {
        "type": "Unigram",
        "unk_id": next((i for i, piece in enumerate(pieces) if piece.kind == UNKNOWN_PIECE), None),
        "vocab": [[piece.text, piece.score] for piece in pieces],
        "byte_fallback": any(piece.kind == BYTE for piece in pieces),
    }
    return _file(pieces, model, add_prefix, character_map, remove_spaces)


def _file(
    pieces: Sequence[Piece],
    model: dict[str, Any],
    add_prefix: bool,
    character_map: str | None,
    remove_spaces: bool,
) -> dict[str, Any]:
    steps: list[dict[str, Any]] = []
    if character_map is not None:
        steps.append({"type": "Precompiled", "precompiled_charsmap": character_map})
    if remove_spaces:
        steps.append({"type": "Strip", "strip_left": True, "strip_right": True})
        steps.append({"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "})
    steps += [*([_PREPEND] if add_prefix else []), _TO_META]
    strip = [{"type": "Strip", "content": " ", "start": 1, "stop": 0}] if add_prefix else []
    return tokenizer_json(
        model,
        added=added_pieces(pieces),
        normalizer={"type": "Sequence", "normalizers": steps},
        pre_tokenizer=None,
        decoder={
            "type": "Sequence",
            "decoders": [_FROM_META, {"type": "ByteFallback"}, {"type": "Fuse"}, *strip],
        },
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
    found = [(i, piece) for i, piece in enumerate(pieces) if piece.kind in special]
    return [added_token(i, piece.text, special[piece.kind]) for i, piece in found]
