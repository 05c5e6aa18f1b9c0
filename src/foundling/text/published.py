"""The tokenizer of published weights, from tokenizer.json: byte-level BPE, as GPT-2 and Qwen3 have it."""

from pathlib import Path
from typing import Any

from foundling.artifacts import read_json
from foundling.text.tokenizer import GPT2_PATTERN, Form, Tokenizer, from_printable

FORMS: dict[str, Form] = {"NFC": "NFC", "NFD": "NFD", "NFKC": "NFKC", "NFKD": "NFKD"}


def read_published(path: Path) -> Tokenizer:
    """A tokenizer that gives the ids of that file. What ours cannot do the same raises ValueError that names it."""
    values = read_json(path)
    try:
        return _read(path, values)
    except (KeyError, TypeError, AttributeError) as error:  # a field that is missing, or holds another thing
        raise ValueError(
            f"{path} is no tokenizer.json of a byte-level BPE ({type(error).__name__}: {error}); fetch it again"
        ) from None


def _read(path: Path, values: dict[str, Any]) -> Tokenizer:
    model, added = values["model"], {token["content"]: token["id"] for token in values.get("added_tokens") or []}
    if model.get("type") != "BPE" or model.get("byte_fallback"):
        kind = "SentencePiece's BPE" if model.get("byte_fallback") else model.get("type")
        raise ValueError(f"{path} is {kind}; only byte-level BPE is supported, as GPT-2 and Qwen3 have it")
    vocabulary = {token: number for token, number in model["vocab"].items() if token not in added}
    _require_in_order(path, model["merges"], vocabulary)
    specials = sorted(added, key=added.__getitem__)
    if [added[name] for name in specials] != list(range(len(vocabulary), len(vocabulary) + len(added))):
        raise ValueError(f"{path}: the ids of the added tokens do not follow on those of the vocabulary")
    ranks = {from_printable(token): number for token, number in vocabulary.items()}
    return Tokenizer(ranks, _pattern(path, values["pre_tokenizer"]), specials, _form(path, values.get("normalizer")))


def _require_in_order(path: Path, merges: list[Any], vocabulary: dict[str, int]) -> None:
    """Our tokenizer merges by id, which is the same only where the merges stand in the order of their tokens' ids.

    Several merges may make the same token, as in Llama 3's files, which list each pair that makes one.
    """
    tokens = ["".join(pair if isinstance(pair, list) else pair.split(" ")) for pair in merges]
    numbers = [vocabulary.get(token, -1) for token in tokens]
    if -1 in numbers or numbers != sorted(numbers):
        raise ValueError(f"{path}: the merges are not in the order of their tokens' ids, as tiktoken needs them")


def _pattern(path: Path, step: dict[str, Any]) -> str:
    """How text is cut into words: one Split in front of ByteLevel, or ByteLevel with GPT-2's own pattern."""
    steps = step["pretokenizers"] if step["type"] == "Sequence" else [step]
    *splits, last = steps
    if last["type"] == "ByteLevel" and not last.get("add_prefix_space"):
        if not splits and last.get("use_regex", True):
            return GPT2_PATTERN
        if len(splits) == 1 and splits[0]["type"] == "Split" and not last.get("use_regex", True):
            split = splits[0]
            if split["behavior"] == "Isolated" and not split.get("invert") and "Regex" in split["pattern"]:
                return str(split["pattern"]["Regex"])
    raise ValueError(
        f"{path} cuts text by {', '.join(one['type'] for one in steps)}; supported is one Split by a pattern in front "
        "of ByteLevel, or ByteLevel alone"
    )


def _form(path: Path, normalizer: dict[str, Any] | None) -> Form | None:
    if normalizer is None:
        return None
    if normalizer["type"] not in FORMS:
        raise ValueError(f"{path} changes texts by {normalizer['type']}; supported are {', '.join(FORMS)}")
    return FORMS[normalizer["type"]]
