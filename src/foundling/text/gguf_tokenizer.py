"""The tokenizer that a GGUF file's metadata describes, for the tokenizers library."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from foundling.text.library_tokenizer import LARGEST_TEMPLATE, LibraryTokenizer
from foundling.text.pre_tokenizers import BYTE_LEVEL, PRE_TOKENIZERS
from foundling.text.sentencepiece import NORMAL, Piece, added_pieces, bpe_json
from foundling.text.tokenizer_json import tokenizer_json, with_prefix

NAMES = {  # of tokenizer_config.json, by the metadata's keys
    "bos_token": "bos_token_id",
    "eos_token": "eos_token_id",
    "unk_token": "unknown_token_id",
    "pad_token": "padding_token_id",
    "sep_token": "seperator_token_id",  # spelled so in the format
}
ENDS = ("eot_token_id", "eom_token_id")  # further tokens that end an answer
KEY, _TEMPLATE = "tokenizer.ggml.", "tokenizer.chat_template"
T = TypeVar("T")


def from_gguf(metadata: Mapping[str, object]) -> LibraryTokenizer:
    """The tokenizer of a GGUF file's metadata, which are plain values by key, with its chat template.

    tokenizer.ggml.model may be gpt2 (byte-level BPE) or llama (SentencePiece's BPE). Metadata that is
    incomplete, contradictory or not supported raises ValueError.
    """
    fields = _Fields(metadata)
    kind = fields.value("model", str)
    tokens = _tokens(fields)
    if kind == "gpt2":
        values, prefix = _byte_level(fields, tokens)
    elif kind == "llama":
        values, prefix = _sentencepiece(fields, tokens)
    else:
        raise ValueError(f"{KEY}model={kind!r}: must be gpt2 or llama; other kinds of GGUF are not supported")
    names = fields.names(tokens, NAMES)
    if prefix and (bos := names.get("bos_token")):
        values = with_prefix(values, bos, tokens.index(bos))
    ends = fields.names(tokens, {key: key for key in ENDS}).values()
    return LibraryTokenizer(json.dumps(values, ensure_ascii=False), names, fields.template(), ends)


class _Fields:
    """Checked access to the metadata of a tokenizer."""

    def __init__(self, metadata: Mapping[str, object]) -> None:
        self.metadata = metadata

    def value(self, name: str, kind: type[T], default: T | None = None) -> T:
        value = self.metadata.get(KEY + name, default)
        if not isinstance(value, kind):
            found = "is missing" if value is None else f"is a {type(value).__name__}, not a {kind.__name__}"
            raise ValueError(f"the GGUF's {KEY}{name} {found}; fetch the file again")
        return value

    def items(self, name: str, kind: type[T], count: int | None = None) -> list[T]:
        """A list of values of this type, of which there must be `count`."""
        values = self.value(name, list)
        if wrong := next((value for value in values if not isinstance(value, kind)), None):
            raise ValueError(
                f"the GGUF's {KEY}{name} holds a {type(wrong).__name__}, not {kind.__name__} alone"
            )
        if count is not None and len(values) != count:
            raise ValueError(
                f"the GGUF has {count:,} tokens and {len(values):,} {KEY}{name}; fetch the file again"
            )
        return values

    def types(self, count: int) -> list[int]:
        """The type of each token; without the field all are normal."""
        if KEY + "token_type" not in self.metadata:
            return [NORMAL] * count
        return self.items("token_type", int, count)

    def names(self, tokens: Sequence[str], keys: Mapping[str, str]) -> dict[str, str]:
        """The tokens that have a role, by the names of `keys`."""
        found = {}
        for name, key in keys.items():
            number = self.metadata.get(KEY + key)
            if number is None:
                continue
            if not isinstance(number, int) or not 0 <= number < len(tokens):
                raise ValueError(f"the GGUF's {KEY}{key}={number!r} is not one of its {len(tokens):,} ids")
            found[name] = tokens[number]
        return found

    def template(self) -> str | None:
        template = self.metadata.get(_TEMPLATE)
        if template is not None and not (isinstance(template, str) and len(template) <= LARGEST_TEMPLATE):
            raise ValueError(
                f"the GGUF's {_TEMPLATE} must be a text of at most {LARGEST_TEMPLATE:,} characters"
            )
        return template


def _tokens(fields: _Fields) -> list[str]:
    tokens = fields.items("tokens", str)
    if len(set(tokens)) < len(tokens):
        twice = next(token for token, count in Counter(tokens).items() if count > 1)
        raise ValueError(f"the GGUF's {KEY}tokens has {twice[:60]!r} twice, so its ids are ambiguous")
    return tokens


def _byte_level(fields: _Fields, tokens: list[str]) -> tuple[dict[str, Any], bool]:
    """The tokenizer.json of a byte-level BPE, and whether its texts begin with the bos token."""
    pre = fields.value("pre", str, "gpt-2")
    if pre not in PRE_TOKENIZERS:
        raise ValueError(f"{KEY}pre={pre!r}: must be one of {', '.join(PRE_TOKENIZERS)}")
    words = PRE_TOKENIZERS[pre]
    pieces = [Piece(token, 0.0, kind) for token, kind in zip(tokens, fields.types(len(tokens)), strict=True)]
    merges = [_pair(merge) for merge in fields.items("merges", str)]
    known = set(tokens)
    if wrong := next((pair for pair in merges if not {*pair, "".join(pair)} <= known), None):
        raise ValueError(f"the GGUF's {KEY}merges joins {wrong[0]!r} and {wrong[1]!r}, which its tokens lack")
    model = {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": words.ignore_merges,
        "vocab": {token: i for i, token in enumerate(tokens)},
        "merges": merges,
    }
    steps = words.steps
    values = tokenizer_json(
        model,
        added=added_pieces(pieces),
        normalizer={"type": words.normalizer} if words.normalizer else None,
        pre_tokenizer={"type": "Sequence", "pretokenizers": steps} if len(steps) > 1 else steps[0],
        decoder=BYTE_LEVEL | {"add_prefix_space": True},
    )
    return values, fields.value("add_bos_token", bool, words.adds_bos)


def _pair(merge: str) -> list[str]:
    at = merge.find(" ", 1)
    if at < 0:
        raise ValueError(
            f"the GGUF's {KEY}merges holds {merge[:60]!r}, which is not two tokens; fetch it again"
        )
    return [merge[:at], merge[at + 1 :]]


def _sentencepiece(fields: _Fields, tokens: list[str]) -> tuple[dict[str, Any], bool]:
    """The tokenizer.json of SentencePiece's BPE, and whether its texts begin with the bos token."""
    count = len(tokens)
    scores = fields.items("scores", float, count)
    pieces = [Piece(*piece) for piece in zip(tokens, scores, fields.types(count), strict=True)]
    values = bpe_json(pieces, add_prefix=fields.value("add_space_prefix", bool, True))
    return values, fields.value("add_bos_token", bool, True)
