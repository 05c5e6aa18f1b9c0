from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foundling.text.tokenizer import END_OF_TEXT, UNKNOWN, Tokenizer
from foundling.text.vocabularies import characters, gpt2
from foundling.weights.huggingface_tokenizer import write_tokenizer

transformers = pytest.importorskip("transformers")
# what goes wrong elsewhere: special tokens written out, parts of them, emoji of several code points, line
# ends of all systems, accents apart from their letters, scripts without spaces, invisible characters, what
# NFC would change
HARD = [
    "<|endoftext|>",
    "<|user|>",
    "<|",
    "|>",
    "endoftext",
    "<|endoftext",
    "👩\u200d👩\u200d👧",
    "🏳\ufe0f\u200d🌈",
]
HARD += ["🎉", "\r\n", "\n\n", "\t", "  ", "e\u0301", "é", "Å", "日本語", "中文。", "한국어"]
HARD += [
    "العربية",
    "हिन्दी",
    "\u200d",
    "\u00a0",
    "\u3000",
    "\ufeff",
    "\0",
    "don't",
    "'ll",
    "'S",
    "x²",
    "½",
    "१२३",
    "３",
    "http://a.b/c?d=e",
    "\u0378",
]
HARD += ["\ud7ff", "\U0010ffff", "ﬁ", "ẞ", "İ"]
TEXTS = st.lists(st.one_of(st.sampled_from(HARD), st.text(max_size=8)), max_size=12).map("".join)
FUZZ = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def exported(tokenizer: Tokenizer, folder: Path) -> Any:
    write_tokenizer(folder, tokenizer, 96, None)
    return transformers.AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="module")
def ours(tokenizer: Tokenizer) -> Tokenizer:
    return tokenizer


@pytest.fixture(scope="module")
def theirs(ours: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return exported(ours, tmp_path_factory.mktemp("tokenizer"))


@FUZZ
@given(text=TEXTS)
def test_a_trained_bpe_gives_the_same_ids_and_text_in_transformers(
    text: str, ours: Tokenizer, theirs: Any
) -> None:
    ids = ours.encode(text)
    assert theirs(text)["input_ids"] == ids
    assert theirs.decode(ids) == text
    assert not set(ids) & set(ours.special_ids.values())


@pytest.fixture(scope="module")
def both_gpt2(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Tokenizer, Any]:
    ours = gpt2(mirror)
    return ours, exported(ours, tmp_path_factory.mktemp("gpt2"))


@FUZZ
@given(text=TEXTS)
def test_gpt2s_vocabulary_gives_the_same_ids_and_text_in_transformers(
    text: str, both_gpt2: tuple[Tokenizer, Any]
) -> None:
    ours, theirs = both_gpt2
    assert theirs(text)["input_ids"] == ours.encode(text)
    assert theirs.decode(ours.encode(text)) == text


def test_characters_give_the_same_ids_and_text_in_transformers(tmp_path: Path) -> None:
    text = "".join(HARD).replace("\0", "")
    ours = characters([text])
    theirs = exported(ours, tmp_path)
    assert theirs(text)["input_ids"] == ours.encode(text)
    assert theirs.decode(ours.encode(text)) == text
    with pytest.raises(ValueError, match="not in this character vocabulary"):
        ours.encode("ж")
    with pytest.raises(Exception, match=r"(?i)unk"):
        theirs("ж")


def test_unknown_characters_become_the_same_token_in_transformers(tmp_path: Path) -> None:
    ours = characters(["the fox"], [END_OF_TEXT, UNKNOWN])
    theirs = exported(ours, tmp_path)
    for text in ("the fox", "жthe 日 fox!"):
        assert theirs(text)["input_ids"] == ours.encode(text)
    assert theirs.eos_token_id == ours.end_of_text


def test_the_special_tokens_are_known_by_their_ids_and_roles(ours: Tokenizer, theirs: Any) -> None:
    assert (theirs.bos_token_id, theirs.eos_token_id, theirs.pad_token_id) == (ours.end_of_text,) * 3
    for name, number in ours.special_ids.items():
        assert theirs.convert_tokens_to_ids(name) == number
        assert theirs(name, split_special_tokens=False)["input_ids"] == [number]
    assert theirs.decode([ours.end_of_text], skip_special_tokens=True) == ""
    assert len(theirs) == ours.vocab_size
