"""SentencePiece's tokenizer.model gives the ids that SentencePiece gives."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foundling.text.library_tokenizer import LibraryTokenizer
from foundling.text.published import read_published
from foundling.text.sentencepiece_model import read_sentencepiece

from .conftest import TEXTS as SENTENCES

HARD = [
    "<s>",
    "</s>",
    "▁",
    "  ",
    "12345",
    "I'LL",
    " x",
    "日本語",
    "🎉",
    "ﬁ",
    "①",
    "\t",
    "the prize",
    "\u3000",
    "é",
    "Hello",
]
# combining characters aside, whose normalization differs between the two libraries
CHARACTERS = st.characters(
    exclude_categories=["Cs", "Cc", "Mn", "Mc", "Me", "Cf", "Cn"], max_codepoint=0x2FFF
)
TEXTS = st.lists(st.one_of(st.sampled_from(HARD), st.text(CHARACTERS, max_size=6)), max_size=8).map("".join)
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
PLAIN = {"normalization_rule_name": "identity", "remove_extra_whitespaces": False, "byte_fallback": True}
KINDS: dict[str, dict[str, Any]] = {
    "llama's": {"model_type": "bpe", "split_digits": True, **PLAIN},
    "bpe": {"model_type": "bpe", "byte_fallback": True},
    "unigram": {"model_type": "unigram"},
    "without prefix": {"model_type": "unigram", "add_dummy_prefix": False, **PLAIN},
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Any]]:
    """By kind: a folder with a tokenizer.model, and SentencePiece's own reading of it."""
    sentencepiece = pytest.importorskip("sentencepiece")
    made = {}
    for kind, options in KINDS.items():
        data = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(SENTENCES),
            model_writer=data,
            vocab_size=500,
            hard_vocab_limit=False,
            minloglevel=2,
            **options,
        )
        folder = tmp_path_factory.mktemp("sentencepiece")
        (folder / "tokenizer.model").write_bytes(data.getvalue())
        made[kind] = folder, sentencepiece.SentencePieceProcessor(model_proto=data.getvalue())
    return made


@pytest.fixture(scope="module")
def ours(models: dict[str, tuple[Path, Any]]) -> dict[str, LibraryTokenizer]:
    return {kind: read_published(folder) for kind, (folder, _) in models.items()}


@pytest.mark.parametrize("kind", KINDS)
@FUZZ
@given(text=TEXTS)
def test_the_ids_are_those_of_sentencepiece(
    text: str, kind: str, ours: dict[str, LibraryTokenizer], models: dict[str, tuple[Path, Any]]
) -> None:
    theirs = models[kind][1]
    ids = ours[kind].encode(text)
    assert ids == theirs.encode(text)
    if ours[kind].unknown_id not in ids:
        assert ours[kind].decode(ids) == theirs.decode(ids)


def test_special_tokens_have_their_ids_and_roles(ours: dict[str, LibraryTokenizer]) -> None:
    llama = ours["llama's"]
    assert llama.names == {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
    assert (llama.special_ids, llama.prefix, llama.end_of_text) == (
        {"<unk>": 0, "<s>": 1, "</s>": 2},
        (1,),
        2,
    )
    assert (llama.unknown_id, ours["unigram"].unknown_id) == (None, 0)


def test_settings_say_whether_texts_begin_with_bos(
    models: dict[str, tuple[Path, Any]], tmp_path: Path
) -> None:
    (tmp_path / "tokenizer.model").write_bytes((models["bpe"][0] / "tokenizer.model").read_bytes())
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps({"add_bos_token": False, "chat_template": "x"})
    )
    assert (read_published(tmp_path).prefix, read_published(tmp_path).chat_template) == ((), "x")


def test_a_damaged_model_is_refused_in_one_line(models: dict[str, tuple[Path, Any]], tmp_path: Path) -> None:
    whole = (models["bpe"][0] / "tokenizer.model").read_bytes()
    path = tmp_path / "tokenizer.model"
    for data in (
        whole[:-3],
        whole[:40],
        b"\xff" * 40,
        b"\x0a\x02\x08\x01",
        whole[:20] + b"\xff" + whole[20:],
    ):
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"tokenizer\.model") as error:
            read_published(tmp_path)
        assert "\n" not in str(error.value)
    path.write_bytes(whole + b"\x12\x02\x18\x04")  # a trainer of model_type 4: characters
    with pytest.raises(ValueError, match="type 4: must be unigram or bpe"):
        read_sentencepiece(path)
