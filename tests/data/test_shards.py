"""Documents are written as token ids and read back; a shard that contradicts its meta.json is an error."""

import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foundling.artifacts import read_json, write_json
from foundling.data.corpora import Document
from foundling.data.shards import Meta, open_tokens, write
from foundling.data.splits import TRAIN, VALIDATION
from foundling.settings.datasets import Source
from foundling.text.tokenizer import Tokenizer
from foundling.text.vocabularies import characters

TEXTS = [f"{word} and {word}s\n" for word in ("fox", "hare", "owl", "wölf")]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return characters(TEXTS)


def stream() -> list[Document]:
    return [
        Document(source, split, text)
        for source in ("a", "b")
        for split in (TRAIN, VALIDATION)
        for text in TEXTS
    ]


def made(folder: Path, tokenizer: Tokenizer, dtype: Any = "auto") -> Meta:
    return write(
        stream(),
        tokenizer,
        folder,
        [Source(name="a", path="x", first=0.5), Source(name="b", path="x", weight=2)],
        {"corpus": {"name": "test"}},
        dtype,
    )


@pytest.mark.parametrize("dtype", ["auto", "uint16", "uint32"])
def test_documents_come_back_each_ended(tmp_path: Path, tokenizer: Tokenizer, dtype: str) -> None:
    meta = made(tmp_path / "tokens", tokenizer, dtype)
    tokens = open_tokens(tmp_path / "tokens", tokenizer)
    assert meta.dtype == ("uint16" if dtype == "auto" else dtype)
    assert [(s.name, s.weight, s.first) for s in tokens.train] == [("a", 1.0, 0.5), ("b", 2, 0.0)]
    for source in (*tokens.train, *tokens.validation):
        wanted = [i for text in TEXTS for i in (*tokenizer.encode(text), tokenizer.end_of_text)]
        assert source.ids.tolist() == wanted
        assert source.bytes == sum(len(text.encode()) for text in TEXTS)


def test_the_counts_are_those_of_the_text(tmp_path: Path, tokenizer: Tokenizer) -> None:
    shard = made(tmp_path / "tokens", tokenizer).shards[0]
    assert (shard.documents, shard.words) == (4, 12)
    assert shard.characters == sum(map(len, TEXTS)) == shard.tokens - 4
    assert shard.bytes == shard.characters + 2


def test_equal_documents_are_equal_bytes(tmp_path: Path, tokenizer: Tokenizer) -> None:
    for name in "xy":
        made(tmp_path / name, tokenizer)
    for file in (tmp_path / "x").iterdir():
        assert file.read_bytes() == (tmp_path / "y" / file.name).read_bytes()


def _cut(folder: Path) -> None:
    file = folder / "a.train.bin"
    file.write_bytes(file.read_bytes()[:-2])


def _change(folder: Path) -> None:
    ids = np.fromfile(folder / "b.validation.bin", dtype=np.uint16)
    ids[3] += 1
    ids.tofile(folder / "b.validation.bin")


def _swap(folder: Path) -> None:
    write_json(folder / "meta.json", read_json(folder / "meta.json") | {"tokenizer": "another"})


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (_cut, r"a.train.bin has [0-9]+ bytes instead of [0-9]+"),
        (_change, r"b.validation.bin was changed"),
        (_swap, "with another tokenizer"),
        (lambda folder: (folder / "a.train.bin").unlink(), "has 0 bytes"),
        (lambda folder: (folder / "meta.json").unlink(), "meta.json is missing"),
        (lambda folder: (folder / "meta.json").write_text("{"), "not valid JSON"),
    ],
)
def test_a_folder_that_contradicts_its_meta_json_is_refused(
    tmp_path: Path, tokenizer: Tokenizer, harm, says: str
) -> None:
    made(tmp_path / "tokens", tokenizer)
    harm(tmp_path / "tokens")
    with pytest.raises(ValueError, match=says) as refusal:
        open_tokens(tmp_path / "tokens", tokenizer)
    assert "dvc repro" in str(refusal.value)


def test_a_vocabulary_larger_than_the_dtype_is_refused(tmp_path: Path) -> None:
    large = characters([chr(0x4E00 + i) for i in range(20_000)] + [chr(0x20000 + i) for i in range(50_000)])
    with pytest.raises(
        ValueError, match="uint16 has 65,536 ids, but the vocabulary has 70,001; use uint32 or auto"
    ):
        write([], large, tmp_path / "tokens", [], {}, "uint16")
    assert not (tmp_path / "tokens").exists()


def test_a_full_disk_leaves_the_old_shards_and_no_trace(tmp_path: Path, tokenizer: Tokenizer) -> None:
    made(tmp_path / "tokens", tokenizer)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # the kernel refuses larger files, as a full disk does
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            made(tmp_path / "tokens", tokenizer)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path.name for path in tmp_path.iterdir()] == ["tokens"]
    assert open_tokens(tmp_path / "tokens", tokenizer).train
