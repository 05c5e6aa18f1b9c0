"""Parts of a tokenizer.json, the file format of Hugging Face's tokenizers library."""

from collections.abc import Mapping, Sequence
from typing import Any


def tokenizer_json(
    model: Mapping[str, Any],
    *,
    added: Sequence[Mapping[str, Any]],
    normalizer: Mapping[str, Any] | None,
    pre_tokenizer: Mapping[str, Any] | None,
    decoder: Mapping[str, Any],
) -> dict[str, Any]:
    """The whole file's values."""
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": None,
        "decoder": decoder,
        "model": model,
    }


def added_token(number: int, name: str, special: bool) -> dict[str, Any]:
    """A token matched in texts as a whole; if special, only where special tokens are parsed."""
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": number, "content": name, **flags, "special": special}


def with_prefix(values: Mapping[str, Any], name: str, number: int) -> dict[str, Any]:
    """The file's values with a token in front of each text, unless special tokens are left out."""
    token, text = {"SpecialToken": {"id": name, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}
    second = [{**part, kind: {**part[kind], "type_id": 1}} for part in (token, text) for kind in part]
    second[1]["Sequence"]["id"] = "B"
    processor = {
        "type": "TemplateProcessing",
        "single": [token, text],
        "pair": [token, text, *second],
        "special_tokens": {name: {"id": name, "ids": [number], "tokens": [name]}},
    }
    return {**values, "post_processor": processor}
