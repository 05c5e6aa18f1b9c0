"""What a GGUF file says of a published tokenizer: the reverse of gguf_tokenizer."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from foundling.text.gguf_tokenizer import ENDS, KEY, NAMES
from foundling.text.library_tokenizer import LibraryTokenizer
from foundling.text.pre_tokenizers import name_of
from foundling.text.sentencepiece import BYTE, CONTROL, NORMAL, UNKNOWN_PIECE, UNUSED, USER_DEFINED
from foundling.text.token_bytes import BYTE_PIECE


def to_gguf(tokenizer: LibraryTokenizer, vocab_size: int) -> dict[str, Any]:
    """The metadata of a tokenizer by key, for a model of `vocab_size` ids, without the chat template.

    ValueError if llama.cpp has no tokenizer that gives the same ids.
    """
    values = json.loads(tokenizer.json_text)
    model = values["model"]
    if model["type"] != "BPE":
        raise ValueError(f"GGUF supports BPE, and this tokenizer is {model['type']}; use format=huggingface")
    by_id = {number: token for token, number in tokenizer.vocabulary.items()}
    tokens = [by_id.get(i, f"[PAD{i}]") for i in range(vocab_size)]
    if model.get("byte_fallback"):
        fields = _sentencepiece(values, tokens)
    else:
        pre = name_of(values["pre_tokenizer"] or {}, values["normalizer"], bool(model.get("ignore_merges")))
        fields = {"model": "gpt2", "pre": pre, "merges": [" ".join(pair) for pair in _pairs(model)]}
    added = tokenizer.library.get_added_tokens_decoder()
    types = [USER_DEFINED if i in added else NORMAL if i in by_id else UNUSED for i in range(vocab_size)]
    for i, token in enumerate(tokens):
        if model.get("byte_fallback") and BYTE_PIECE.fullmatch(token):
            types[i] = BYTE
    for number in tokenizer.special_ids.values():
        types[number] = UNKNOWN_PIECE if number == tokenizer.unknown_id else CONTROL
    roles = {key: tokenizer.names.get(role) for role, key in NAMES.items()}
    ids = {key: tokenizer.vocabulary[name] for key, name in roles.items() if name in tokenizer.vocabulary}
    others = tokenizer.ends - {*ids.values()}
    ids |= dict(zip(ENDS, sorted(others), strict=False))
    fields |= {"tokens": tokens, "token_type": types, "add_bos_token": bool(tokenizer.prefix), **ids}
    return {KEY + name: value for name, value in fields.items()}


def _sentencepiece(values: Mapping[str, Any], tokens: Sequence[str]) -> dict[str, Any]:
    """The fields of SentencePiece's BPE; a token's score is the place of the first merge that makes it."""
    normalizer = values["normalizer"] or {}
    steps = [step["type"] for step in normalizer.get("normalizers", [normalizer]) if step]
    scheme = (values["pre_tokenizer"] or {}).get("prepend_scheme", "never")
    if not set(steps) <= {"Prepend", "Replace"} or scheme == "always":
        raise ValueError("llama.cpp does not change texts as this tokenizer does; use format=huggingface")
    places: dict[str, int] = {}
    for place, pair in enumerate(_pairs(values["model"])):
        places.setdefault("".join(pair), place)
    scores = [-float(places.get(token, len(places) + i)) for i, token in enumerate(tokens)]
    return {"model": "llama", "scores": scores, "add_space_prefix": "Prepend" in steps or scheme == "first"}


def _pairs(model: Mapping[str, Any]) -> list[list[str]]:
    """The merges, which older files write with a space between the two tokens."""
    return [pair if isinstance(pair, list) else pair.split(" ") for pair in model["merges"]]
