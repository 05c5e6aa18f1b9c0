"""Published tokenizers of every kind give the ids and the texts that transformers gives."""

import json
import shutil
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foundling.text.library_tokenizer import LibraryTokenizer
from foundling.text.published import read_published
from foundling.text.tokenizer import Tokenizer

from .conftest import MAKERS, NAMES, SPECIALS

HARD = [
    *SPECIALS,
    "<s>",
    "</s>",
    "<unk>",
    "<pad>",
    "[SEP]",
    "[CLS]",
    "[UNK]",
    "<0x41>",
    "<|",
    "|>",
    "</",
    "s>",
]
HARD += [
    "e\u0301",
    "A\u030a",
    "\u1100\u1161",
    "I'LL",
    "12345",
    "\r\n\r\n x",
    "日本語",
    "🎉",
    "  ",
    "ﬁ",
    "▁",
    "##ing",
]
HARD += ["\u0000", "\ufffd", "＜/s＞", "don't", "\t", "the prize"]
TEXTS = st.lists(st.one_of(st.sampled_from(HARD), st.text(max_size=8)), max_size=10).map("".join)
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
kinds = pytest.mark.parametrize("kind", MAKERS)
byte_level_kinds = pytest.mark.parametrize("kind", ["gpt2", "smollm", "qwen"])


@pytest.fixture(scope="module")
def folders(libraries: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders as models are published in."""
    made = {}
    for kind, library in libraries.items():
        made[kind] = tmp_path_factory.mktemp(kind)
        library.save(str(made[kind] / "tokenizer.json"))
        names = NAMES.get(kind, {"eos_token": SPECIALS[0], "bos_token": SPECIALS[0]})
        config = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "clean_up_tokenization_spaces": False,
            **names,
        }
        (made[kind] / "tokenizer_config.json").write_text(json.dumps(config))
    return made


@pytest.fixture(scope="module")
def ours(folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tokenizer]:
    """As a stage reads them back."""
    place = tmp_path_factory.mktemp("saved")
    for kind, folder in folders.items():
        read_published(folder).save(place / kind)
    return {kind: Tokenizer.load(place / kind) for kind in folders}


@pytest.fixture(scope="module")
def theirs(folders: dict[str, Path]) -> dict[str, Any]:
    transformers = pytest.importorskip("transformers")
    return {kind: transformers.AutoTokenizer.from_pretrained(folder) for kind, folder in folders.items()}


@kinds
@FUZZ
@given(text=TEXTS)
def test_ids_and_texts_are_those_of_transformers(
    text: str, kind: str, ours: dict[str, Tokenizer], theirs: dict[str, Any]
) -> None:
    expected = theirs[kind](text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    ids = ours[kind].encode(text)
    forbidden = {*ours[kind].special_ids.values()} - {ours[kind].unknown_id}
    if forbidden.isdisjoint(expected):
        assert ids == expected
    assert ours[kind].decode(ids) == theirs[kind].decode(ids, clean_up_tokenization_spaces=False)
    assert ours[kind].encode_batch([text, "a", text], threads=2) == [ids, ours[kind].encode("a"), ids]


@kinds
@FUZZ
@given(text=TEXTS)
def test_no_text_becomes_a_special_token(text: str, kind: str, ours: dict[str, Tokenizer]) -> None:
    ids = {*ours[kind].encode(text)} - {ours[kind].unknown_id}
    assert ids.isdisjoint(ours[kind].special_ids.values())


def test_many_written_special_tokens_take_little_time(ours: dict[str, Tokenizer]) -> None:
    assert ours["unigram"].decode(ours["unigram"].encode("a" + "</s>" * 20_000)).count("/s") == 20_000


@byte_level_kinds
@FUZZ
@given(text=TEXTS)
def test_byte_level_ids_decode_to_the_text(text: str, kind: str, ours: dict[str, Tokenizer]) -> None:
    expected = unicodedata.normalize("NFC", text) if kind == "qwen" else text
    ids = ours[kind].encode(text)
    assert ours[kind].decode(ids) == expected
    assert ours[kind].decode_bytes(ids).decode() == expected


@FUZZ
@given(text=TEXTS)
def test_byte_fallback_decodes_to_the_text(text: str, ours: dict[str, Tokenizer]) -> None:
    ids = ours["llama"].encode(text)
    meta_spaces = text.replace("▁", " ")
    assert ours["llama"].decode(ids) == meta_spaces
    assert ours["llama"].decode_bytes(ids).decode() == (f" {meta_spaces}" if text else "")


def test_special_tokens_have_their_published_ids_and_roles(ours: dict[str, Tokenizer]) -> None:
    assert ours["smollm"].special_ids == {name: i for i, name in enumerate(SPECIALS)}
    assert ours["smollm"].end_of_text == ours["smollm"].start_of_text == 0
    assert ours["llama"].prefix == (1,)
    assert (ours["llama"].start_of_text, ours["llama"].end_of_text) == (1, 2)
    assert [ours[kind].unknown_id is None for kind in ("gpt2", "llama", "unigram")] == [True, True, False]
    assert ours["wordpiece"].unknown(["the 日日"]) == {"日": 2} or ours["wordpiece"].unknown(["☃☃"])


def test_a_chat_models_documents_do_not_end_as_its_answers_do(libraries: dict[str, Any]) -> None:
    chat = LibraryTokenizer(libraries["gpt2"].to_str(), {"eos_token": "<|im_end|>"})
    assert chat.end_of_text == chat.special_ids["<|endoftext|>"]
    assert chat.names["eos_token"] == "<|im_end|>"


def test_markers_that_a_file_does_not_call_special_are_special(libraries: dict[str, Any]) -> None:
    values = json.loads(libraries["gpt2"].to_str())
    for token in values["added_tokens"]:
        token["special"] = False
    tokenizer = LibraryTokenizer(json.dumps(values), {"eos_token": SPECIALS[0]})
    assert tokenizer.specials == SPECIALS
    assert tokenizer.decode(tokenizer.encode(SPECIALS[2])) == SPECIALS[2]
    assert len(tokenizer.encode(SPECIALS[2])) > 1


def test_templates_are_split_at_special_tokens(libraries: dict[str, Any]) -> None:
    values = json.loads(libraries["gpt2"].to_str())
    ids = {token["content"]: token["id"] for token in values["added_tokens"]}
    values["added_tokens"][2] |= {"rstrip": True}
    tokenizer = LibraryTokenizer(json.dumps(values), {"eos_token": SPECIALS[0]})
    assert tokenizer.split_specials("<|im_start|>user\nHi<|im_end|>\n\nx") == [
        ids["<|im_start|>"],
        "user\nHi",
        ids["<|im_end|>"],
        "x",
    ]


def test_a_tokenizer_is_saved_as_it_was_published(folders: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(folders["smollm"], tmp_path / "published")
    (tmp_path / "published/chat_template.jinja").write_text("{{ messages }}")
    config = {"eos_token": SPECIALS[0], "bos_token": {"content": SPECIALS[0], "lstrip": False}}
    (tmp_path / "published/tokenizer_config.json").write_text(json.dumps(config))
    tokenizer = read_published(tmp_path / "published")
    tokenizer.save(tmp_path / "saved")
    again = Tokenizer.load(tmp_path / "saved")
    assert (tmp_path / "saved/published.json").read_bytes() == (
        folders["smollm"] / "tokenizer.json"
    ).read_bytes()
    assert (again.fingerprint, again.chat_template) == (tokenizer.fingerprint, "{{ messages }}")
    assert again.names == {"eos_token": SPECIALS[0], "bos_token": SPECIALS[0]}


def test_ids_name_the_end_of_text_where_the_tokenizers_files_do_not(
    libraries: dict[str, Any], tmp_path: Path
) -> None:
    libraries["llama"].save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(ValueError, match="end-of-text token"):
        read_published(tmp_path)
    (tmp_path / "config.json").write_text('{"eos_token_id": [2, 1], "bos_token_id": 1}')
    assert read_published(tmp_path).names == {"eos_token": "</s>", "bos_token": "<s>"}


@pytest.mark.parametrize("cut", [1, 100, -1, -400])
def test_a_cut_file_is_refused_in_one_line(folders: dict[str, Path], tmp_path: Path, cut: int) -> None:
    text = (folders["unigram"] / "tokenizer.json").read_text()
    (tmp_path / "tokenizer.json").write_text(text[:cut])
    with pytest.raises(ValueError, match=r"tokenizer\.json") as error:
        read_published(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"vocab_size": 7}, "it says vocab_size=7 and has"),
        ({"end_of_text": "<|im_end|>"}, "it says end_of_text='<|im_end|>'"),
        ({"end_of_text": 5}, "end_of_text=5: must be a string"),
        ({"pattern": "x"}, "unknown key"),
    ],
)
def test_a_folder_that_contradicts_itself_is_refused(
    ours: dict[str, Tokenizer], tmp_path: Path, values: dict[str, Any], says: str
) -> None:
    ours["gpt2"].save(tmp_path / "saved")
    path = tmp_path / "saved/tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    with pytest.raises(ValueError, match=says):
        Tokenizer.load(tmp_path / "saved")


def test_every_token_that_the_configs_name_ends_an_answer(folders: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(folders["qwen"], tmp_path / "model")
    ids = [json.loads((folders["qwen"] / "tokenizer.json").read_text())["model"]["vocab"]["a"], 501, 9999]
    (tmp_path / "model/config.json").write_text(json.dumps({"eos_token_id": 502}))
    (tmp_path / "model/generation_config.json").write_text(json.dumps({"eos_token_id": ids}))
    read = read_published(tmp_path / "model")
    read.save(tmp_path / "saved")
    saved = Tokenizer.load(tmp_path / "saved")
    assert isinstance(saved, LibraryTokenizer)
    named = [read.special_ids[name] for name in SPECIALS]
    assert saved.ends == read.ends == {*named} == {read.end_of_text, 501, 502}
    assert saved.fingerprint == read.fingerprint


def test_without_configs_the_eos_token_ends_an_answer_too(libraries: dict[str, Any]) -> None:
    tokenizer = LibraryTokenizer(libraries["qwen"].to_str(), {"eos_token": "<|im_end|>"})
    ids = tokenizer.special_ids
    assert tokenizer.ends == {ids["<|endoftext|>"], ids["<|im_end|>"]} != {tokenizer.end_of_text}
