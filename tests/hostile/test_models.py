"""Malicious model folders, tokenizers and tokens: no code is run, and false sizes take no memory."""

import base64
import json
import os
import pickle
import shutil
import struct
import tracemalloc
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from foundling.artifacts import read_json, sha256, write_json
from foundling.data.corpora import Document
from foundling.data.lineage import require_base
from foundling.data.shards import open_tokens, write
from foundling.model.config import ClassifierConfig, TranslatorConfig
from foundling.model.gpt import GPT
from foundling.settings.datasets import Source
from foundling.text.published import read_published
from foundling.text.tiktoken_tokenizer import CHARACTER_PATTERN, GPT2_PATTERN, TiktokenTokenizer
from foundling.text.tokenizer import END_OF_TEXT, Tokenizer
from foundling.validation import build
from foundling.weights import folder, huggingface, huggingface_config
from foundling.weights.chain import links
from foundling.weights.chat import chat_files, read_chat
from foundling.weights.provenance import provenance
from foundling.weights.start import start
from foundling.weights.vocabulary import require_same

OWN = {"dropout": 0.0, "init": "gpt2", "attention": "fused"}


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return TiktokenTokenizer({bytes([i]): i for i in range(256)}, GPT2_PATTERN, [END_OF_TEXT])


@pytest.fixture(scope="module")
def chat(
    gpt_config: Callable[..., Any], tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A chat model, whole."""
    torch.manual_seed(0)
    place = tmp_path_factory.mktemp("made") / "chat"
    recipe = {name: {} for name in ("corpus", "tokenizer", "model", "pretrain")}
    folder.save(
        place,
        GPT(gpt_config("micro", 257)),
        tokenizer,
        provenance(recipe, [], None),
        chat_files("phi3", None, tokenizer),
    )
    return place


@pytest.fixture
def model(chat: Path, tmp_path: Path) -> Path:
    """A copy to damage; its tokenizer is not compared with the record, so only one thing is wrong."""
    shutil.copytree(chat, tmp_path / "m")
    (tmp_path / "m/provenance.json").unlink()
    return tmp_path / "m"


def change(path: Path, **values: Any) -> None:
    write_json(path, read_json(path) | values)


def drop(path: Path, *names: str) -> None:
    write_json(path, {name: value for name, value in read_json(path).items() if name not in names})


HUGE = 10**12
CONFIGS: dict[str, tuple[dict[str, Any], str]] = {
    "a width of terabytes": ({"n_embd": 2**22, "head_dim": 2**20}, "has shape .* expected"),
    "a vocabulary of terabytes": ({"vocab_size": 2**30}, "has shape .* expected"),
    "layers without end": ({"n_layer": 2**30}, r"has 1,073,741,824 layers for \d+ tensors"),
    "a context of terabytes": ({"context": 2**30}, "its position table would have"),
    "a context a little too long": ({"context": 2**26}, "its position table would have"),
    "feed-forward of terabytes": ({"n_ffn": 2**30}, "has shape .* expected"),
    "heads of terabytes": ({"n_head": 2**20, "n_kv_head": 2**20}, "has shape .* expected"),
    "a number beyond all": ({"n_embd": HUGE}, "must be below 2,147,483,648"),
    "a number of 400 digits": ({"n_layer": 10**400}, "n_layer=1000.*must be below"),
    "a width of 0": ({"n_embd": 0}, "at least 1"),
    "a width below 0": ({"n_embd": -32}, "at least 1"),
    "heads of 0": ({"n_head": 0}, "at least 1"),
    "key heads of 0": ({"n_kv_head": 0}, "at least 1"),
    "a head of 0": ({"head_dim": 0}, "at least 1"),
    "a width as text": ({"n_embd": "32"}, "n_embd='32': must be an integer, not a string"),
    "a width as float": ({"n_embd": 32.5}, "must be an integer, not a float"),
    "a width as list": ({"n_embd": [32]}, "must be an integer, not a list"),
    "a width of null": ({"n_embd": None}, "must be an integer, not null"),
    "a width of true": ({"n_embd": True}, "must be an integer, not a boolean"),
    "a width as mapping": ({"n_embd": {"_target_": "os.system"}}, "must be an integer, not a mapping"),
    "a rate of nan": ({"dropout": float("nan")}, "dropout"),
    "an epsilon of inf": ({"norm_eps": float("inf")}, "norm_eps"),
    "a negative epsilon": ({"norm_eps": -1.0}, "must be above 0"),
    "a theta of 0": ({"rope_theta": 0.0}, "must be above 0"),
    "a switch as text": ({"bias": "false"}, "must be true or false, not a string"),
    "a switch as number": ({"tied": 1}, "must be true or false, not an integer"),
    "a norm as code": ({"norm": "__import__('os')"}, "must be one of layernorm or rmsnorm"),
    "a norm as list": ({"norm": ["rmsnorm"]}, "must be one of layernorm or rmsnorm"),
    "a target": ({"_target_": "os.system"}, "_target_: unknown key"),
    "a reduction": ({"__reduce__": ["os.system", ["true"]]}, "__reduce__: unknown key"),
    "a class": ({"__class__": "GPT"}, "unknown key"),
    "an automatic map": ({"auto_map": {"AutoModel": "x.py"}}, "auto_map: unknown key"),
    "many unknown keys": ({f"key{i}": i for i in range(1000)}, "unknown key"),
    "a convolution below 0": ({"convolution": -1}, "convolution=-1: must be at least 0"),
    "a convolution without end": ({"convolution": 2**30}, "must be at most context"),
}


@pytest.mark.parametrize("what", CONFIGS)
def test_a_config_that_asks_for_what_cannot_be(model: Path, refuses, what: str) -> None:
    changes, says = CONFIGS[what]
    change(model / "config.json", **changes)
    tracemalloc.start()
    line = refuses(lambda: folder.load(model), says)
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()
    assert "config.json" in line or "safetensors" in line


@pytest.mark.parametrize("missing", ["vocab_size", "n_layer", "n_embd", "norm", "tied"])
def test_a_config_that_lacks_a_key(model: Path, refuses, missing: str) -> None:
    drop(model / "config.json", missing)
    refuses(lambda: folder.load(model), f"{missing} is missing")


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "5", '"x"', "{", "{'a': 1}", "[" * 99_999, '{"a": NaN', "\0"]
)
@pytest.mark.parametrize("name", ["config.json", "chat.json", "tokenizer/tokenizer.json"])
def test_a_file_that_is_no_json(model: Path, refuses, tokenizer: Tokenizer, name: str, text: str) -> None:
    (model / name).write_text(text)
    act = {"chat.json": lambda: read_chat(model, tokenizer)}.get(name, lambda: folder.load(model))
    refuses(act, "not valid JSON")


@pytest.mark.parametrize("labels", [["a"], [], ["a", "a"], "ab", [1, 2], None, {"a": 1}])
def test_labels_that_are_none(gpt_config: Callable[..., Any], refuses, labels: Any) -> None:
    values = {"trunk": asdict(gpt_config("micro")), "labels": labels, "keep": "end"}
    refuses(lambda: build(ClassifierConfig, values, "classifier"), "labels")


TRANSLATORS: dict[str, Any] = {
    "n_encoder": 2**31,
    "n_embd": "32",
    "context": 2**30,
    "dropout": 2.0,
    "shared": "half",
}


@pytest.mark.parametrize("name", TRANSLATORS)
def test_a_translator_that_cannot_be(root: Path, refuses, name: str) -> None:
    import yaml

    values = {"vocab_size": 50, **yaml.safe_load((root / "conf/transformer/tiny.yaml").read_text())}
    refuses(
        lambda: build(TranslatorConfig, values | {name: TRANSLATORS[name]}, "train_translator.model"), name
    )


def header(path: Path) -> tuple[dict[str, Any], bytes]:
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def write_header(path: Path, head: bytes, data: bytes, size: int | None = None) -> None:
    path.write_bytes(struct.pack("<Q", len(head) if size is None else size) + head + data)


def _spoil(harm: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        head, data = header(path)
        changed = harm(head)
        write_header(path, json.dumps(head if changed is None else changed).encode(), data)

    return spoil


def _first(head: dict[str, Any]) -> dict[str, Any]:
    first: dict[str, Any] = head["token_embedding.weight"]
    return first


def _twice(path: Path) -> None:
    head, data = header(path)
    text = json.dumps(head)
    name = '"token_embedding.weight": '
    write_header(path, (text[:-1] + ", " + name + json.dumps(_first(head)) + "}").encode(), data)


LIES: dict[str, Callable[[Path], None]] = {
    "a header of 2^60 bytes": lambda path: write_header(path, b"{}", b"", 2**60),
    "a header longer than the file": lambda path: write_header(path, b"{}", b"", 10_000),
    "a header of 0 bytes": lambda path: write_header(path, b"", b"x" * 100),
    "a header that is no JSON": lambda path: write_header(path, b"{'a': }", b""),
    "a header that is a list": lambda path: write_header(path, b"[]", b""),
    "a header of brackets": lambda path: write_header(path, b"[" * 50_000, b""),
    "a header that is a pickle": lambda path: write_header(path, pickle.dumps({"a": 1}), b""),
    "a header of nothing": lambda path: write_header(path, b"{}", b""),
    "no file at all": lambda path: path.write_bytes(b""),  # type: ignore[dict-item]
    "seven bytes": lambda path: path.write_bytes(b"1234567"),  # type: ignore[dict-item]
    "offsets out of the file": _spoil(lambda head: _first(head).update(data_offsets=[0, 2**50])),
    "offsets below 0": _spoil(lambda head: _first(head).update(data_offsets=[-8, 8])),
    "offsets the wrong way round": _spoil(lambda head: _first(head).update(data_offsets=[100, 0])),
    "offsets that overlap": _spoil(
        lambda head: head["norm.weight"].update(data_offsets=_first(head)["data_offsets"])
    ),
    "offsets as text": _spoil(lambda head: _first(head).update(data_offsets="all")),
    "a shape of terabytes": _spoil(lambda head: _first(head).update(shape=[2**40, 32])),
    "a shape that overflows": _spoil(lambda head: _first(head).update(shape=[2**63, 2**63])),
    "a shape below 0": _spoil(lambda head: _first(head).update(shape=[-257, -32])),
    "another shape of the size": _spoil(lambda head: _first(head).update(shape=[32, 257])),
    "a flat shape": _spoil(lambda head: _first(head).update(shape=[32 * 257])),
    "a type that is none": _spoil(lambda head: _first(head).update(dtype="PICKLE")),
    "a type of another size": _spoil(lambda head: _first(head).update(dtype="F64")),
    "a type of whole numbers": _spoil(lambda head: _first(head).update(dtype="I32")),
    "a type of switches": _spoil(lambda head: _first(head).update(dtype="BOOL", shape=[257 * 4, 32])),
    "a tensor less": _spoil(lambda head: head.pop("norm.weight")),
    "a tensor's keys less": _spoil(lambda head: _first(head).pop("dtype")),
    "a tensor of another name": _spoil(lambda head: head.update({"x" * 500: head.pop("norm.weight")})),
    "a name with a line end": _spoil(lambda head: head.update({"a\n\x1b[2J": head.pop("norm.weight")})),
    "metadata that is no text": _spoil(lambda head: head.update(__metadata__={"a": 5})),
    "a name twice": _twice,
}


@pytest.mark.parametrize("what", LIES)
def test_a_header_that_lies(model: Path, refuses, read_or_refused, what: str) -> None:
    LIES[what](model / "model.safetensors")
    tracemalloc.start()
    if what == "a name twice":  # the same place twice: it is one tensor, and whole
        with read_or_refused("model.safetensors"):
            folder.load(model)
    else:
        line = refuses(lambda: folder.load(model), r"model\.safetensors")
        assert "dvc repro" in line or "does not match" in line
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=6))
def test_any_damage_of_a_header_is_refused_or_harmless(
    chat: Path, tmp_path: Path, read_or_refused, damage: list[tuple[int, int]]
) -> None:
    if not (tmp_path / "m").exists():
        shutil.copytree(chat, tmp_path / "m")
    data = bytearray((chat / "model.safetensors").read_bytes())
    for at, value in damage:
        data[at] = value
    (tmp_path / "m/model.safetensors").write_bytes(data)
    with read_or_refused("model.safetensors"):
        folder.load_model(tmp_path / "m")


class Evil:
    """A pickle that would leave a mark if it were ever loaded."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("unpickled",)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.pth", "last.ckpt", "model.pkl"])
def test_a_pickle_in_a_folder_is_never_opened(
    tmp_path: Path, refuses, tokenizer: Tokenizer, name: str, monkeypatch: pytest.MonkeyPatch, gpt_config: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / name).write_bytes(pickle.dumps(Evil()))
    write_json(tmp_path / "m/config.json", {"model_type": "gpt2", "vocab_size": 257})
    says = r"pickle .*reads safetensors only|lacks"
    refuses(lambda: huggingface.load_model(tmp_path / "m", "gpt2", None), says)  # type: ignore[arg-type]
    (tmp_path / "m/config.json").unlink()
    refuses(lambda: start(str(tmp_path / "m"), gpt_config("micro"), tokenizer, 1), "pickle")


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer/tokens.tiktoken"])
def test_a_pickle_by_another_name_is_never_loaded(
    model: Path, refuses, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(model)
    (model / name).write_bytes(pickle.dumps(Evil()))
    refuses(lambda: folder.load(model), "safetensors|JSON|tokenizer")
    assert not (model / "unpickled").exists()


def _ranks(*lines: bytes) -> bytes:
    return b"\n".join(lines) + b"\n"


FULL = [base64.b64encode(bytes([i])) + b" %d" % i for i in range(256)]
RANKS: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "256 of the 256 bytes are not tokens"),
    "a cut line": (_ranks(*FULL)[:-5], "is not a tokenizer"),
    "a cut file": (_ranks(*FULL[:200]), "56 of the 256 bytes are not tokens"),
    "no base64": (_ranks(*FULL, b"!!! 256"), "not a token in base64"),
    "no id": (_ranks(*FULL, b"YWI="), "not a token in base64"),
    "an id that is a word": (_ranks(*FULL, b"YWI= many"), "not a token in base64"),
    "an id below 0": (_ranks(*FULL, b"YWI= -1"), "are not 0 to"),
    "an id twice": (_ranks(*FULL, b"YWI= 255"), "are not 0 to"),
    "an id beyond all": (_ranks(*FULL, b"YWI= 99999999999999999999"), "are not 0 to"),
    "an id of many digits": (_ranks(*FULL, b"YWI= " + b"9" * 5000), "not a token in base64"),
    "a gap": (_ranks(*FULL, b"YWI= 300"), "are not 0 to"),
    "a token twice": (_ranks(*FULL, b"YQ== 256"), "it occurs twice"),
    "an empty token": (_ranks(*FULL, b" 256"), "no tok|says vocab"),
    "a line without end": (b"YQ" * 100_000, "not a token in base64"),
    "bytes": (b"\xff\xfe\0\0" * 99, "not a token in base64"),
}


@pytest.mark.parametrize("what", RANKS)
def test_tokens_that_are_none(model: Path, refuses, what: str) -> None:
    data, says = RANKS[what]
    (model / "tokenizer/tokens.tiktoken").write_bytes(data)
    if what == "an empty token":  # a line of an id alone is none, and is passed over
        pytest.skip("harmless")
    refuses(lambda: folder.load(model), says)


TOKENIZERS: dict[str, tuple[dict[str, Any], str]] = {
    "a vocabulary of billions": ({"vocab_size": HUGE}, "says vocab_size=1000000000000 and has 257"),
    "a vocabulary as text": ({"vocab_size": "257"}, "vocab_size='257': must be an integer"),
    "a pattern that is none": ({"pattern": "(["}, "not a regular expression"),
    "an empty pattern": ({"pattern": ""}, "must be a regular expression"),
    "a pattern without end": ({"pattern": "a" * 99_999}, "must be a regular expression"),
    "a pattern as number": ({"pattern": 5}, "pattern=5: must be a string"),
    "a pattern as list": ({"pattern": ["a"]}, "pattern=.'a'.: must be a string"),
    "special tokens as text": ({"specials": "<|endoftext|>"}, "specials=.*: must be a list"),
    "special tokens as numbers": ({"specials": [END_OF_TEXT, 5]}, "specials.1=5: must be a string"),
    "special tokens twice": ({"specials": [END_OF_TEXT, END_OF_TEXT]}, "must differ"),
    "no end of text": ({"specials": ["<|end|>"]}, "lack <.endoftext.>"),
    "no special tokens": ({"specials": []}, "lack"),
    "special tokens of null": ({"specials": None}, "specials=null: must be a list"),
    "an empty special token": ({"specials": [END_OF_TEXT, ""]}, "none may be empty"),
    "a form that is none": ({"normal_form": "NFX"}, "normal_form='NFX': must be one of NFC"),
    "a form as list": ({"normal_form": ["NFC"]}, "normal_form=.*: must be one of"),
    "characters that are none": ({"pattern": CHARACTER_PATTERN}, "is not a character"),
    "more tokens than the model": (
        {"specials": [END_OF_TEXT, *"abc"], "vocab_size": 260},
        "has 260 tokens and",
    ),
}


@pytest.mark.parametrize("what", TOKENIZERS)
def test_a_tokenizer_that_lies(model: Path, refuses, what: str) -> None:
    changes, says = TOKENIZERS[what]
    change(model / "tokenizer/tokenizer.json", **changes)
    refuses(lambda: folder.load(model), says)


PUBLISHED: dict[str, Any] = {
    "nothing": {},
    "a model that is a text": {"model": "BPE"},
    "no vocabulary": {"model": {"type": "BPE", "merges": []}, "pre_tokenizer": {"type": "ByteLevel"}},
    "a vocabulary that is a list": {"model": {"type": "BPE", "vocab": ["a"], "merges": []}},
    "merges that are a number": {"model": {"type": "BPE", "vocab": {"a": 0}, "merges": 5}},
    "no cutter": {"model": {"type": "BPE", "vocab": {}, "merges": []}},
    "a cutter that is code": {
        "model": {"type": "BPE", "vocab": {}, "merges": []},
        "pre_tokenizer": {"_target_": "x"},
    },
    "an id that is a text": {"model": {"type": "BPE", "vocab": {"a": "0"}, "merges": []}},
    "a character of no byte": {"model": {"type": "BPE", "vocab": {"€": 0}, "merges": []}},
    "added tokens that are texts": {
        "model": {"type": "BPE", "vocab": {}, "merges": []},
        "added_tokens": ["a"],
    },
    "added tokens far away": {
        "model": {"type": "BPE", "vocab": {}, "merges": []},
        "added_tokens": [{"content": END_OF_TEXT, "id": 2**40}],
    },
    "a unigram": {"model": {"type": "Unigram", "vocab": []}},
}


@pytest.mark.parametrize("what", PUBLISHED)
def test_a_published_tokenizer_that_is_none(tmp_path: Path, refuses, what: str) -> None:
    write_json(tmp_path / "tokenizer.json", PUBLISHED[what])
    refuses(lambda: read_published(tmp_path), r"tokenizer\.json")


@pytest.mark.parametrize("what", ["nothing", "a model that is a text", "a vocabulary that is a list"])
def test_a_published_vocabulary_that_is_none(
    tmp_path: Path, refuses, tokenizer: Tokenizer, what: str
) -> None:
    write_json(tmp_path / "tokenizer.json", PUBLISHED[what])
    refuses(lambda: require_same(tmp_path, tokenizer, 257), r"tokenizer\.json has no vocabulary")


LLAMA = {
    **{"model_type": "llama", "vocab_size": 257, "max_position_embeddings": 64, "hidden_size": 32},
    **{
        "num_attention_heads": 2,
        "num_hidden_layers": 1,
        "intermediate_size": 64,
        "tie_word_embeddings": True,
    },
}
HUGGINGFACE: dict[str, tuple[dict[str, Any], str]] = {
    "a type that is a list": ({"model_type": ["llama"]}, "config.json"),
    "a type that is code": ({"model_type": "os.system"}, "must be one of gpt2, llama"),
    "a width as text": ({"hidden_size": "32"}, "config.json.*must be an integer, not a string"),
    "a width of 0": ({"hidden_size": 0}, "config.json"),
    "heads of 0": ({"num_attention_heads": 0}, "config.json"),
    "layers as list": ({"num_hidden_layers": [1]}, "config.json"),
    "a context without end": ({"max_position_embeddings": 2**40}, "config.json"),
    "a rope that is a text": ({"rope_scaling": "linear"}, "config.json"),
    "a rope that is a list": ({"rope_parameters": [1]}, "config.json"),
    "layer types that are numbers": ({"layer_types": 5}, "config.json"),
    "layer types that are lists": ({"layer_types": [["x"]]}, "config.json"),
    "an epsilon of nan": ({"rms_norm_eps": float("nan")}, "config.json"),
    "a quantization that is code": (
        {"quantization_config": {"_target_": "os.system"}},
        "quantization_config",
    ),
}


@pytest.mark.parametrize("what", HUGGINGFACE)
def test_a_config_of_transformers_that_lies(tmp_path: Path, refuses, what: str) -> None:
    changes, says = HUGGINGFACE[what]
    write_json(tmp_path / "config.json", LLAMA | changes)
    refuses(lambda: huggingface_config.read_config(tmp_path, OWN), says)


def test_a_target_in_a_config_of_transformers_is_an_unknown_field_which_changes_nothing(
    tmp_path: Path,
) -> None:
    write_json(tmp_path / "config.json", LLAMA)
    expected = huggingface_config.read_config(tmp_path, OWN)
    write_json(tmp_path / "config.json", LLAMA | {"_target_": "os.system"})
    assert huggingface_config.read_config(tmp_path, OWN) == expected


@pytest.mark.parametrize(
    "index",
    [{}, {"weight_map": []}, {"weight_map": {}}, {"weight_map": {"a": 5}}, {"weight_map": {"a": "../b"}}],
)
def test_an_index_of_shards_that_lies(tmp_path: Path, refuses, index: dict[str, Any]) -> None:
    write_json(tmp_path / "model.safetensors.index.json", index)
    refuses(lambda: huggingface.load_model(tmp_path, "llama", None), r"index\.json")  # type: ignore[arg-type]


def test_a_config_of_transformers_of_layers_without_end(tmp_path: Path, refuses) -> None:
    write_json(tmp_path / "config.json", LLAMA | {"num_hidden_layers": 2**30})
    save_file({"model.norm.weight": torch.ones(32)}, tmp_path / "model.safetensors")
    name, config = huggingface_config.read_config(tmp_path, OWN)
    refuses(lambda: huggingface.load_model(tmp_path, name, config), "has 1,073,741,824 layers for 1 tensors")


CHATS: list[dict[str, Any]] = [
    {},
    {"template": "evil"},
    {"template": ["phi3"]},
    {"template": "phi3", "system": 5},
]


@pytest.mark.parametrize("settings_", CHATS)
def test_chat_settings_that_are_none(
    model: Path, refuses, tokenizer: Tokenizer, settings_: dict[str, Any]
) -> None:
    write_json(model / "chat.json", settings_)
    refuses(lambda: read_chat(model, tokenizer), r"chat\.json")


def test_a_chat_template_of_a_folder_is_never_rendered(model: Path, tokenizer: Tokenizer) -> None:
    change(model / "chat.json", chat_template="{{ cycler.__init__.__globals__.os.mkdir('rendered') }}")
    assert "cycler" not in str(read_chat(model, tokenizer))


RECORDS: dict[str, tuple[Any, str]] = {
    "nothing": ({}, "records no files"),
    "files that are a list": ({"files": ["config.json"]}, "records no files"),
    "files of numbers": ({"files": {"config.json": 5}}, "must be a mapping from paths to sha256"),
    "inputs that are a list": (
        {"files": {"a": "b"}, "inputs": ["x"]},
        "must be a mapping from paths to sha256",
    ),
    "a parent that is a text": (
        {"files": {"a": "b"}, "parent": "models/base"},
        "must be a mapping from paths to sha256",
    ),
    "a parent that is itself": ({"files": {"a": "b"}, "parent": {"m": "x"}}, "which descends from the model"),
    "a list": ([], "not valid JSON"),
}


@pytest.mark.parametrize("what", RECORDS)
def test_a_record_that_is_damaged(model: Path, refuses, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model.parent)
    value, says = RECORDS[what]
    write_json(Path("m/provenance.json"), value)
    refuses(lambda: list(links(Path("m"))), says)


def test_a_record_that_names_a_device_is_not_read_for_ever(model: Path) -> None:
    write_json(
        model / "provenance.json",
        {"files": {"../../../../../../../../dev/zero": "0"}, "inputs": {"/dev/zero": "0"}},
    )
    faults = {link.fault for link in links(model)}
    assert "is neither a file nor a folder" in faults


@pytest.mark.parametrize(
    "made", [{}, {"config": []}, {"config": {"corpus": {}}}, {"config": {"corpus": "x"}}]
)
def test_a_base_whose_record_lacks_its_config(model: Path, refuses, made: dict[str, Any]) -> None:
    write_json(model / "provenance.json", made)
    refuses(lambda: require_base(model, {}), r"provenance\.json does not have the sections")


def test_a_target_in_a_record_is_never_called(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model.parent)
    call = {"_target_": "os.mkdir", "path": "called"}
    config = {
        "pretrain": {"optimizer": call, "_target_": "os.mkdir"},
        "corpus": {},
        "tokenizer": {},
        "model": {},
    }
    files = {name: sha256(model / name) for name in ("config.json", "model.safetensors")}
    write_json(model / "provenance.json", {"config": config, "files": files})
    folder.load(model)
    assert list(links(Path("m")))
    assert not Path("called").exists()


@pytest.fixture
def tokens(tmp_path: Path, tokenizer: Tokenizer) -> Path:
    documents = [Document("a", split, "The fox went home.") for split in ("train", "validation")]
    write(documents, tokenizer, tmp_path / "tokens", [Source(name="a", path="x")], {"corpus": {}}, "auto")
    return tmp_path / "tokens"


def _shard(**values: Any) -> Callable[[Path], None]:
    def harm(path: Path) -> None:
        made = read_json(path)
        made["shards"][0] |= values
        write_json(path, made)

    return harm


def _foreign_id(path: Path) -> None:
    made = read_json(path)
    ids = np.fromfile(path.parent / "a.train.bin", dtype=np.uint16)
    ids[3] = 60_000
    ids.tofile(path.parent / "a.train.bin")
    made["shards"][0]["sha256"] = sha256(path.parent / "a.train.bin")
    write_json(path, made)


METAS: dict[str, Callable[[Path], None]] = {
    "a type of objects": lambda path: change(path, dtype="object"),
    "a type of floats": lambda path: change(path, dtype="float32"),
    "a type that is code": lambda path: change(path, dtype="__import__('os')"),
    "a type that is a list": lambda path: change(path, dtype=[["a", "u2"]]),
    "shards that are none": lambda path: change(path, shards=None),
    "shards that are texts": lambda path: change(path, shards=["a.train.bin"]),
    "no made_with": lambda path: drop(path, "made_with"),
    "made_with that is a list": lambda path: change(path, made_with=[]),
    "a shard above": _shard(file="../a.train.bin"),
    "a shard at the root": _shard(file="/etc/passwd"),
    "a shard of another place": _shard(file="meta.json"),
    "a source above": _shard(source="../a", file="../a.train.bin"),
    "a split that is none": _shard(split="test"),
    "tokens below 0": _shard(tokens=-1),
    "tokens of 0": _shard(tokens=0),
    "tokens as text": _shard(tokens="19"),
    "tokens without end": _shard(tokens=10**15),
    "a weight of nan": _shard(weight=float("nan")),
    "a weight of 0": _shard(weight=0),
    "a weight as text": _shard(weight="1"),
    "bytes of null": _shard(bytes=None),
    "a checksum of another": _shard(sha256="0" * 64),
    "a shard that is cut": lambda path: os.truncate(path.parent / "a.train.bin", 6),
    "a shard that is longer": lambda path: os.truncate(path.parent / "a.train.bin", 60),
    "an id that no token has": _foreign_id,
}


@pytest.mark.parametrize("what", METAS)
def test_tokens_that_lie(tokens: Path, refuses, tokenizer: Tokenizer, what: str) -> None:
    METAS[what](tokens / "meta.json")
    line = refuses(lambda: open_tokens(tokens, tokenizer), "tokens/")
    assert "dvc repro" in line


def test_a_whole_folder_is_read(chat: Path, tokens: Path, tokenizer: Tokenizer) -> None:
    assert folder.load(chat)
    assert open_tokens(tokens, tokenizer).train
    assert load_file(chat / "model.safetensors")
