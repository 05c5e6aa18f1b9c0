"""Any text comes back whole, specials come from nobody's text, and all three kinds are one type on disk."""

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex, models, pre_tokenizers, trainers
from tokenizers import Tokenizer as Peer

from foundling.text.tiktoken_tokenizer import GPT2_PATTERN
from foundling.text.tokenizer import END_OF_TEXT, UNKNOWN, Tokenizer
from foundling.text.vocabularies import characters, gpt2, train_bpe

LINE = "the lion is in the forest and it isn't far from 42 old oaks, naïve façade 東京 🦊"


def texts(count: int = 200) -> list[str]:
    rng = random.Random(1)
    return [" ".join(rng.choices(LINE.split(), k=rng.randrange(5, 30))) + ".\n" for _ in range(count)]


@pytest.fixture(scope="module")
def bpe() -> Tokenizer:
    return train_bpe(texts(), 400)


@given(st.text())
def test_any_text_comes_back_whole(bpe: Tokenizer, text: str) -> None:
    text = text.encode("utf-8", "ignore").decode()
    assert bpe.decode(bpe.encode(text)) == text


@given(st.text(alphabet="<|endoftxt>"), st.text(max_size=5))
def test_a_text_never_becomes_a_special_token(bpe: Tokenizer, before: str, after: str) -> None:
    text = before + END_OF_TEXT + after
    ids = bpe.encode(text.encode("utf-8", "ignore").decode())
    assert max(ids) < len(bpe.ranks) == bpe.end_of_text


def test_bpe_equals_the_tokenizers_library(bpe: Tokenizer) -> None:
    """The library trains our BPE; encoding by tiktoken must give the ids that its own encoder gives."""
    peer = Peer(models.BPE())
    split = pre_tokenizers.Split(Regex(GPT2_PATTERN), "isolated")
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    peer.pre_tokenizer = pre_tokenizers.Sequence([split, level])
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    peer.train_from_iterator(
        texts(), trainers.BpeTrainer(vocab_size=399, initial_alphabet=alphabet, show_progress=False)
    )
    for text in [*texts(50), "unseen wörds\r\n\t and\u200d 🦁🦁"]:
        assert bpe.encode(text) == peer.encode(text).ids


def test_a_batch_equals_one_by_one(bpe: Tokenizer) -> None:
    many = texts(64)
    assert bpe.encode_batch(many, threads=2) == [bpe.encode(text) for text in many]


def test_equal_texts_train_equal_tokenizers_and_more_entries_make_fewer_tokens(bpe: Tokenizer) -> None:
    assert train_bpe(texts(), 400).fingerprint == bpe.fingerprint
    longer = train_bpe(texts(), 300)
    assert longer.fingerprint != bpe.fingerprint
    assert len(longer.encode(texts()[0])) > len(bpe.encode(texts()[0]))


def test_every_kind_is_one_type_on_disk(bpe: Tokenizer, tmp_path: Path) -> None:
    for name, made in {"bpe": bpe, "char": characters(texts())}.items():
        made.save(tmp_path / name)
        back = Tokenizer.load(tmp_path / name)
        assert back.fingerprint == made.fingerprint
        assert back.encode(texts()[3]) == made.encode(texts()[3])
        assert (back.vocab_size, back.end_of_text) == (made.vocab_size, made.end_of_text)


def test_characters_are_one_token_each_and_unknown_ones_are_named() -> None:
    made = characters(["naïve\n", "fox"])
    assert len(made.encode("naïve\nfox")) == 9
    with pytest.raises(
        ValueError, match="the character 'q' is not in this character vocabulary of 9; remove it"
    ):
        made.encode("foq")


def test_unknown_characters_become_one_token_where_the_vocabulary_has_it(tmp_path: Path) -> None:
    old, made = characters(["naïve fox"]), characters(["naïve fox"], [END_OF_TEXT, UNKNOWN])
    unknown = made.special_ids[UNKNOWN]
    assert made.encode("naïve fox") == old.encode("naïve fox")  # known characters keep their ids
    assert (made.end_of_text, unknown, made.vocab_size) == (
        old.end_of_text,
        old.vocab_size,
        old.vocab_size + 1,
    )
    made.save(tmp_path / "t")
    for tokenizer in (made, Tokenizer.load(tmp_path / "t")):
        assert tokenizer.encode("qfox日") == [unknown, *tokenizer.encode("fox"), unknown]
        assert tokenizer.decode(tokenizer.encode("qfox")) == f"{UNKNOWN}fox"
        assert tokenizer.encode(UNKNOWN)[0] == unknown  # of "<|unkn…": its first character is unknown
        assert len(tokenizer.encode(UNKNOWN)) == len(UNKNOWN)


def test_unknown_characters_are_counted(bpe: Tokenizer) -> None:
    assert characters(["fox"]).unknown(["fox", "foqq", "日q"]) == {"q": 3, "日": 1}
    assert bpe.unknown(["日"]) == {}


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: train_bpe(["x"], 100), "vocab_size=100 is too small"),
        (lambda: train_bpe(["x"], 300, ["<|pad|>"]), r"lack <\|endoftext\|>"),
    ],
)
def test_what_cannot_be_made_is_refused(make, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make()


def test_a_folder_that_is_no_tokenizer_is_refused(bpe: Tokenizer, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is missing"):
        Tokenizer.load(tmp_path)
    bpe.save(tmp_path / "t")
    (tmp_path / "t/tokens.tiktoken").unlink()
    with pytest.raises(ValueError, match="is not a tokenizer"):
        Tokenizer.load(tmp_path / "t")


def test_gpt2_from_the_mirror_equals_tiktokens(
    mirror: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """tiktoken reads OpenAI's own two files from its cache, we read one of the mirror."""
    import shutil

    import tiktoken.registry

    names = {
        "vocab.bpe": "6d1cbeee0f20b3d9449abfede4726ed8212e3aee",
        "encoder.json": "6c7ea1a7e38e3a7f062df639a5b80947f075ffe6",
    }
    for name, cached in names.items():
        shutil.copy(mirror / "gpt2_bpe" / name, tmp_path / cached)
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(tiktoken.registry, "ENCODINGS", {})
    ours, theirs = gpt2(mirror), tiktoken.get_encoding("gpt2")
    assert ours.vocab_size == theirs.n_vocab == 50_257
    assert ours.end_of_text == theirs.eot_token
    for text in [*texts(50), "Hello,   world!\r\n\tdon't 123 🦊"]:
        assert ours.encode(text) == theirs.encode_ordinary(text)


def test_gpt2_without_mirror_and_network_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import tiktoken

    def unreachable(name: str) -> None:
        raise ConnectionError(name)

    monkeypatch.setattr(tiktoken, "get_encoding", unreachable)
    with pytest.raises(ValueError, match=r"put gpt2.tiktoken into <mirror>/gpt2_bpe/gpt2.tiktoken, or use"):
        gpt2(tmp_path)
