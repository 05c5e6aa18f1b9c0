import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foundling.fables.messages import messages
from foundling.text.published import read_published
from foundling.text.tokenizer import END_OF_TEXT, Tokenizer, train_bpe

QWEN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
HARD = ["e\u0301", "A\u030a", "\u1100\u1161", "I'LL", "12345", "\r\n\r\n x", "日本語", "🎉", END_OF_TEXT, "  ", "ﬁ"]


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A tokenizer as Qwen3's: its pattern, NFC, special tokens behind the vocabulary."""
    from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers, trainers
    from tokenizers import Tokenizer as Library

    library = Library(models.BPE())
    library.normalizer = normalizers.NFC()
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    library.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(QWEN), "isolated"), level])
    library.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=500, initial_alphabet=alphabet, show_progress=False)
    library.train_from_iterator([one["text"] for one in messages(seed=1, count=300, split="train")], trainer)
    library.add_special_tokens([AddedToken(name, special=True) for name in (END_OF_TEXT, "<|im_start|>")])
    library.encode_special_tokens = True
    return library


@pytest.fixture(scope="module")
def ours(theirs: Any, tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    folder = tmp_path_factory.mktemp("published")
    theirs.save(str(folder / "tokenizer.json"))
    read_published(folder / "tokenizer.json").save(folder / "ours")
    return Tokenizer.load(folder / "ours")


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(HARD), st.text(max_size=8)), max_size=10).map("".join))
def test_a_published_tokenizer_gives_its_ids_here(ours: Tokenizer, theirs: Any, text: str) -> None:
    assert ours.encode(text) == theirs.encode(text).ids
    assert ours.encode_batch([text], threads=1) == [ours.encode(text)]


def test_special_tokens_keep_their_ids(ours: Tokenizer, theirs: Any) -> None:
    assert ours.specials == [END_OF_TEXT, "<|im_start|>"]
    assert ours.special_ids["<|im_start|>"] == theirs.token_to_id("<|im_start|>")
    assert ours.normal_form == "NFC"


def test_a_tokenizer_without_normal_form_keeps_its_fingerprint() -> None:
    tokenizer = train_bpe(["aa"], 258)
    other = Tokenizer(tokenizer.ranks, tokenizer.pattern, tokenizer.specials, "NFC")
    assert tokenizer.fingerprint != other.fingerprint


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(HARD), st.text(max_size=8)), max_size=10).map("".join))
def test_merges_that_make_a_token_in_several_ways_are_read(every_pair: tuple[Tokenizer, Any], text: str) -> None:
    mine, library = every_pair
    assert mine.encode(text) == library.encode(text).ids


@pytest.fixture(scope="module")
def every_pair(theirs: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Tokenizer, Any]:
    """As in Llama 3's file: each pair of tokens that makes another is a merge, in the order of what they make."""
    from tokenizers import Tokenizer as Library

    values = json.loads(theirs.to_str())
    vocabulary = values["model"]["vocab"]
    pairs = []
    for token in sorted(vocabulary, key=vocabulary.__getitem__):
        halves = [(token[:at], token[at:]) for at in range(1, len(token))]
        pairs += [list(pair) for pair in halves if pair[0] in vocabulary and pair[1] in vocabulary]
    assert len(pairs) > len(values["model"]["merges"])
    values["model"] |= {"merges": pairs, "ignore_merges": True}
    path = tmp_path_factory.mktemp("pairs") / "tokenizer.json"
    path.write_text(json.dumps(values))
    library = Library.from_file(str(path))
    library.encode_special_tokens = True
    return read_published(path), library


@pytest.mark.parametrize(
    ("place", "value", "says"),
    [
        (("model", "type"), "Unigram", "is Unigram; only byte-level BPE is supported"),
        (("model", "byte_fallback"), True, "is SentencePiece's BPE"),
        (("normalizer",), {"type": "Lowercase"}, "changes texts by Lowercase; supported are NFC"),
        (("pre_tokenizer",), {"type": "Whitespace"}, "cuts text by Whitespace"),
        (("added_tokens", 0, "id"), 9999, "the added tokens do not follow"),
        (("model", "merges"), [["b", "a"], ["a", "b"]], "not in the order"),
    ],
)
def test_what_our_tokenizer_cannot_do_is_refused_by_name(
    theirs: Any, tmp_path: Path, place: tuple[Any, ...], value: Any, says: str
) -> None:
    values = json.loads(theirs.to_str())
    inner = values
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    (tmp_path / "tokenizer.json").write_text(json.dumps(values))
    with pytest.raises(ValueError, match=says):
        read_published(tmp_path / "tokenizer.json")
