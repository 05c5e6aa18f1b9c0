"""How kinds of byte-level BPE cut texts into words, by the names that GGUF and llama.cpp have for them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from foundling.text.tiktoken_tokenizer import GPT2_PATTERN

# Words by regular expression, as the published tokenizer.json files have them
_LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
_QWEN2 = _LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_WORD, _CAPITALS = rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+", rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*"
_SPACES = r" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_ENDING = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_TEKKEN = rf"{_WORD}|{_CAPITALS}|\p{{N}}|{_SPACES}"
_GPT4O = rf"{_WORD}{_ENDING}|{_CAPITALS}{_ENDING}|\p{{N}}{{1,3}}|{_SPACES}"

_BLOOM = r" ?[^(\s|[.,!?…。，、।۔،])]+"

BYTE_LEVEL: Final = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
_BYTES_ALONE = BYTE_LEVEL | {"use_regex": False}


_EACH_DIGIT: Final = {"type": "Digits", "individual_digits": True}


def _split(pattern: str, *more: dict[str, Any]) -> list[dict[str, Any]]:
    """Words by a pattern, and by more steps."""
    words = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    return [words, *more, _BYTES_ALONE]


@dataclass(frozen=True)
class PreTokenizer:
    """How a kind of byte-level BPE cuts texts into words, and what llama.cpp implies with its name."""

    steps: list[dict[str, Any]]
    ignore_merges: bool = False  # a word that is a token is that token
    adds_bos: bool = False  # unless the file says otherwise
    normalizer: str | None = None


_GPT2 = PreTokenizer([BYTE_LEVEL])
_DIGITS = PreTokenizer([_EACH_DIGIT, BYTE_LEVEL])
_LLAMA_BPE = PreTokenizer(_split(_LLAMA3), ignore_merges=True, adds_bos=True)
# by the value of tokenizer.ggml.pre (llama-vocab.cpp)
PRE_TOKENIZERS: Final = {
    "gpt-2": _GPT2,
    "olmo": _GPT2,
    "mpt": _GPT2,
    "smollm": _DIGITS,
    "starcoder": _DIGITS,
    "refact": _DIGITS,
    "command-r": _DIGITS,
    "codeshell": _DIGITS,
    "exaone": _DIGITS,
    "llama-bpe": _LLAMA_BPE,
    "llama3": _LLAMA_BPE,
    "llama-v3": _LLAMA_BPE,
    "falcon3": _LLAMA_BPE,
    "lfm2": _LLAMA_BPE,
    "dbrx": PreTokenizer(_split(_LLAMA3)),
    "smaug-bpe": PreTokenizer(_split(_LLAMA3)),
    "qwen2": PreTokenizer(_split(_QWEN2), normalizer="NFC"),
    "deepseek-r1-qwen": PreTokenizer(_split(_QWEN2), normalizer="NFC"),
    "stablelm2": PreTokenizer(_split(_QWEN2), normalizer="NFC"),
    "tekken": PreTokenizer(_split(_TEKKEN), ignore_merges=True, adds_bos=True),
    "gpt-4o": PreTokenizer(_split(_GPT4O)),
    "bloom": PreTokenizer(_split(_BLOOM)),
    "gpt3-finnish": PreTokenizer(_split(_BLOOM)),
    "poro-chat": PreTokenizer(_split(_BLOOM)),
    "viking": PreTokenizer(_split(_BLOOM, _EACH_DIGIT)),
}


def name_of(
    pre_tokenizer: Mapping[str, Any], normalizer: Mapping[str, Any] | None, ignore_merges: bool
) -> str:
    """llama.cpp's name for what a tokenizer.json does; ValueError if it has none."""
    steps = pre_tokenizer.get("pretokenizers", [pre_tokenizer])
    if steps == _split(GPT2_PATTERN):  # as we export it
        steps = [BYTE_LEVEL]
    form = normalizer["type"] if normalizer else None
    for name, known in PRE_TOKENIZERS.items():
        same_steps = [_essence(step) for step in steps] == [_essence(step) for step in known.steps]
        if same_steps and known.normalizer == form and known.ignore_merges == ignore_merges:
            return name
    kinds = ", ".join(step["type"] for step in steps)
    raise ValueError(
        f"llama.cpp has no pre-tokenizer for this tokenizer (it cuts texts by {kinds}); use "
        f"format=huggingface"
    )


def _essence(step: Mapping[str, Any]) -> dict[str, Any]:
    """What decides on words in a step of a pre-tokenizer."""
    return {name: value for name, value in step.items() if name != "trim_offsets"}
