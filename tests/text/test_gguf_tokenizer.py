"""A GGUF's metadata gives the tokenizer that it was written from."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foundling.text.gguf_fields import to_gguf
from foundling.text.gguf_tokenizer import from_gguf
from foundling.text.library_tokenizer import LibraryTokenizer

from .conftest import NAMES, SPECIALS

HARD = [
    *SPECIALS,
    "<s>",
    "</s>",
    "<0x41>",
    "▁",
    "12345",
    "I'LL",
    "\r\n\r\n x",
    "日本語",
    "🎉",
    "  ",
    "e\u0301",
    "\t",
]
TEXTS = st.lists(st.one_of(st.sampled_from(HARD), st.text(max_size=8)), max_size=10).map("".join)
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
PRE = {"gpt2": "gpt-2", "smollm": "smollm", "qwen": "qwen2"}


def metadata(library: Any, kind: str) -> dict[str, Any]:
    """What llama.cpp's converter writes of a tokenizer."""
    values = json.loads(library.to_str())
    vocabulary = library.get_vocab()
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    special = {token["content"] for token in values["added_tokens"]}
    types = [3 if token in special else 6 if token.startswith("<0x") else 1 for token in tokens]
    keys = {
        "tokens": tokens,
        "token_type": types,
        "eos_token_id": vocabulary[SPECIALS[0]] if kind in PRE else 2,
    }
    if kind in PRE:
        merges = [" ".join(pair) for pair in values["model"]["merges"]]
        keys |= {"model": "gpt2", "pre": PRE[kind], "merges": merges}
    else:
        types[0] = 2  # unknown
        rank = {"".join(pair): i for i, pair in reversed(list(enumerate(values["model"]["merges"])))}
        scores = [-float(rank.get(token, len(tokens))) for token in tokens]
        keys |= {"model": "llama", "scores": scores, "bos_token_id": 1, "unknown_token_id": 0}
    return {f"tokenizer.ggml.{key}": value for key, value in keys.items()}


@pytest.fixture(scope="module")
def pairs(libraries: dict[str, Any]) -> dict[str, tuple[LibraryTokenizer, LibraryTokenizer]]:
    """By kind: the tokenizer of a GGUF's metadata, and the one that it was written from."""
    made = {}
    for kind in [*PRE, "llama"]:
        names = NAMES.get(kind, {"eos_token": SPECIALS[0]})
        made[kind] = (
            from_gguf(metadata(libraries[kind], kind)),
            LibraryTokenizer(libraries[kind].to_str(), names),
        )
    return made


@pytest.mark.parametrize("kind", [*PRE, "llama"])
@FUZZ
@given(text=TEXTS)
def test_the_ids_are_those_of_the_original(
    text: str, kind: str, pairs: dict[str, tuple[LibraryTokenizer, LibraryTokenizer]]
) -> None:
    ours, original = pairs[kind]
    assert ours.encode(text) == original.encode(text)
    assert ours.decode(ours.encode(text)) == original.decode(original.encode(text))


@pytest.mark.parametrize("kind", [*PRE, "llama"])
def test_special_tokens_have_the_same_ids_and_roles(
    kind: str, pairs: dict[str, tuple[LibraryTokenizer, LibraryTokenizer]]
) -> None:
    ours, original = pairs[kind]
    assert ours.special_ids == original.special_ids
    assert ours.names == original.names
    assert (ours.prefix, ours.end_of_text) == (original.prefix, original.end_of_text)


@pytest.mark.parametrize("kind", [*PRE, "llama"])
@FUZZ
@given(text=TEXTS)
def test_a_published_tokenizer_is_written_as_it_was(
    text: str, kind: str, again: dict[str, tuple[LibraryTokenizer, LibraryTokenizer]]
) -> None:
    read, original = again[kind]
    assert read.encode(text) == original.encode(text)


@pytest.fixture(scope="module")
def again(
    pairs: dict[str, tuple[LibraryTokenizer, LibraryTokenizer]],
) -> dict[str, tuple[LibraryTokenizer, LibraryTokenizer]]:
    """Published tokenizers, written to GGUF with three spare ids and read again."""
    made = {}
    for kind, (_, original) in pairs.items():
        size = original.vocab_size
        made[kind] = from_gguf(to_gguf(original, size + 3)), original
        assert made[kind][0].vocab_size == size + 3
        assert made[kind][0].special_ids == original.special_ids
        assert (made[kind][0].names, made[kind][0].prefix) == (original.names, original.prefix)
    return made


def test_what_ends_a_turn_ends_an_answer(libraries: dict[str, Any]) -> None:
    values = metadata(libraries["qwen"], "qwen")
    assert from_gguf(values).ends == {500}
    tokenizer = from_gguf(values | {"tokenizer.ggml.eot_token_id": 502, "tokenizer.ggml.eom_token_id": 501})
    assert tokenizer.ends == {500, 501, 502}
    assert from_gguf(to_gguf(tokenizer, 503)).ends == tokenizer.ends


def test_what_llama_cpp_lacks_is_refused(libraries: dict[str, Any]) -> None:
    unigram = LibraryTokenizer(libraries["unigram"].to_str(), NAMES["unigram"])
    with pytest.raises(
        ValueError, match="GGUF supports BPE, and this tokenizer is Unigram; use format=huggingface"
    ):
        to_gguf(unigram, 300)
    values = json.loads(libraries["gpt2"].to_str())
    values["pre_tokenizer"] = {"type": "Whitespace"}
    with pytest.raises(ValueError, match=r"no pre-tokenizer .* cuts texts by Whitespace"):
        to_gguf(LibraryTokenizer(json.dumps(values), {"eos_token": SPECIALS[0]}), 503)


def without(values: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != f"tokenizer.ggml.{key}"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda values: {}, "ggml.model is missing"),
        (lambda values: values | {"tokenizer.ggml.model": "t5"}, "model='t5': must be gpt2 or llama"),
        (lambda values: values | {"tokenizer.ggml.pre": "falcon"}, "pre='falcon': must be one of gpt-2"),
        (lambda values: without(values, "tokens"), "tokens is missing"),
        (lambda values: values | {"tokenizer.ggml.tokens": ["a", 1]}, "tokens holds a int"),
        (lambda values: values | {"tokenizer.ggml.tokens": ["a", "a"]}, "has 'a' twice"),
        (
            lambda values: values | {"tokenizer.ggml.token_type": [1]},
            "500 tokens and 1 tokenizer.ggml.token_type",
        ),
        (lambda values: values | {"tokenizer.ggml.merges": ["ab"]}, "which is not two tokens"),
        (
            lambda values: values | {"tokenizer.ggml.merges": ["zzz q"]},
            "joins 'zzz' and 'q', which its tokens lack",
        ),
        (
            lambda values: values | {"tokenizer.ggml.eos_token_id": 500},
            "eos_token_id=500 is not one of its 500 ids",
        ),
        (
            lambda values: without(values, "eos_token_id") | {"tokenizer.ggml.token_type": [1] * 500},
            "end-of-text",
        ),
        (lambda values: values | {"tokenizer.chat_template": 5}, "chat_template must be a text"),
    ],
)
def test_metadata_that_contradicts_itself_is_refused_in_one_line(
    libraries: dict[str, Any], change: Callable[[dict[str, Any]], dict[str, Any]], says: str
) -> None:
    with pytest.raises(ValueError, match=says) as error:
        from_gguf(change(metadata(libraries["smollm"], "smollm")))
    assert "\n" not in str(error.value)
