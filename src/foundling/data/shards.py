"""Write documents as shards of token ids, one file per source and split; read them as memory maps."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pydantic
from annotated_types import Ge, Gt, Lt
from pydantic import JsonValue

from foundling.artifacts import atomic_folder, read_json, sha256, write_json
from foundling.data.corpora import Count, Document
from foundling.data.splits import TRAIN, VALIDATION
from foundling.settings import datasets
from foundling.text.tokenizer import Tokenizer
from foundling.validation import STRICT, build

META = "meta.json"
BATCH_BYTES = 4 << 20  # text encoded at once: enough to use all threads, but little memory
REBUILD = "rebuild it with `dvc repro --force tokenize`"
Dtype = Literal["uint16", "uint32"]
Number = Annotated[int, Ge(0), Lt(2**63)]


@pydantic.dataclasses.dataclass(frozen=True, config=STRICT, kw_only=True)
class Shard:
    """The description of one source's tokens of one split in meta.json."""

    source: str
    split: Literal["train", "validation"]
    weight: Annotated[float, Gt(0)]
    first: Annotated[float, Ge(0)]
    documents: Number
    characters: Number
    words: Number
    bytes: Number  # of the text, for bits per byte
    tokens: Annotated[Number, Gt(0)]
    file: str
    sha256: str


@pydantic.dataclasses.dataclass(frozen=True, config=STRICT, kw_only=True)
class Meta:
    """meta.json: the shards, and what they were made from."""

    dtype: Dtype
    tokenizer: str  # its fingerprint
    shards: tuple[Shard, ...]
    inputs: Mapping[str, str]  # sha256 by path
    made_with: Mapping[str, JsonValue]  # the sections corpus and tokenizer of the recipe


@dataclass(frozen=True)
class Source:
    """One source's tokens of one split, mapped from disk."""

    name: str
    weight: float
    ids: np.ndarray
    bytes: int  # of the text, for bits per byte
    first: float = 0.0  # fraction of the training steps, the first ones, that use this source only


@dataclass(frozen=True)
class Tokens:
    """A tokenized corpus."""

    train: list[Source]
    validation: list[Source]
    meta: Meta


def write(
    documents: Iterable[Document],
    tokenizer: Tokenizer,
    folder: Path,
    sources: Iterable[datasets.Source],
    made_with: Mapping[str, JsonValue],
    dtype: Literal["auto", "uint16", "uint32"],
    inputs: Mapping[str, str] | None = None,
) -> Meta:
    """Encode a stream of documents, each followed by end-of-text; returns the contents of meta.json.

    `sources` define how training samples from them; `inputs` are the sha256 of the files from which documents
    and tokenizer were read, by path. Needs memory for a few batches. The folder is written atomically.
    """
    kind = np.dtype(_dtype(dtype, tokenizer.vocab_size))
    threads = os.cpu_count() or 1
    by_name = {source.name: source for source in sources}
    counts: dict[tuple[str, str], Count] = {}
    with atomic_folder(folder) as temporary:
        for (name, split), texts in _batches(documents):
            count = counts.setdefault((name, split), Count())
            encoded = tokenizer.encode_batch(texts, threads)
            for text, ids in zip(texts, encoded, strict=True):
                ids.append(tokenizer.end_of_text)
                count.add(text, len(ids))
            with open(temporary / _file(name, split), "ab") as file:
                file.write(np.fromiter(chain.from_iterable(encoded), kind).tobytes())
        shards = tuple(
            Shard(
                source=name,
                split=split,  # type: ignore[arg-type]
                weight=by_name[name].weight,
                first=by_name[name].first,
                **asdict(count),
                file=_file(name, split),
                sha256=sha256(temporary / _file(name, split)),
            )
            for (name, split), count in counts.items()
        )
        meta = Meta(
            dtype=kind.name,  # type: ignore[arg-type]
            tokenizer=tokenizer.fingerprint,
            shards=shards,
            inputs=dict(inputs or {}),
            made_with=made_with,
        )
        write_json(temporary / META, asdict(meta))
    return meta


def open_tokens(folder: Path, tokenizer: Tokenizer) -> Tokens:
    """Map the shards of a folder; truncated or changed ones, or another tokenizer's, raise ValueError."""
    values = read_json(folder / META)
    if values.get("tokenizer") != tokenizer.fingerprint:
        raise ValueError(f"{folder} was encoded with another tokenizer than data/tokenizer; {REBUILD}")
    try:
        meta = build(Meta, values, str(folder / META))
    except ValueError as error:
        raise ValueError(f"{error}; {REBUILD}") from None
    kind = np.dtype(meta.dtype)
    splits: dict[str, list[Source]] = {TRAIN: [], VALIDATION: []}
    for shard in meta.shards:
        if shard.file != _file(shard.source, shard.split) or Path(shard.file).name != shard.file:
            raise ValueError(
                f"{folder / META} names the shard {shard.file!r}, which is the wrong file; {REBUILD}"
            )
        path = folder / shard.file
        expected = shard.tokens * kind.itemsize
        size = path.stat().st_size if path.is_file() else 0
        if size != expected:
            raise ValueError(f"{path} has {size:,} bytes instead of {expected:,}; {REBUILD}")
        if sha256(path) != shard.sha256:
            raise ValueError(f"{path} was changed since it was written (its sha256 differs); {REBUILD}")
        ids = np.memmap(path, dtype=kind, mode="r")
        if (highest := int(ids.max())) >= tokenizer.vocab_size:
            raise ValueError(
                f"{path} has the id {highest:,}, the tokenizer only {tokenizer.vocab_size:,}; {REBUILD}"
            )
        splits[shard.split].append(Source(shard.source, shard.weight, ids, shard.bytes, shard.first))
    return Tokens(splits[TRAIN], splits[VALIDATION], meta)


def _dtype(setting: Literal["auto", "uint16", "uint32"], vocab_size: int) -> Dtype:
    """The dtype that is set, or the smallest for the vocabulary."""
    fits = vocab_size <= 1 << 16
    if setting == "uint16" and not fits:
        raise ValueError(
            f"tokenizer.dtype=uint16 has 65,536 ids, but the vocabulary has {vocab_size:,}; use uint32 or "
            f"auto"
        )
    if setting == "auto":
        return "uint16" if fits else "uint32"
    return setting


def _file(source: str, split: str) -> str:
    return f"{source}.{split}.bin"


def _batches(documents: Iterable[Document]) -> Iterator[tuple[tuple[str, str], list[str]]]:
    """Group documents by source and split into batches of about BATCH_BYTES, order kept within each group."""
    waiting: dict[tuple[str, str], list[str]] = {}
    sizes: dict[tuple[str, str], int] = {}
    for document in documents:
        key = document.source, document.split
        waiting.setdefault(key, []).append(document.text)
        sizes[key] = sizes.get(key, 0) + len(document.text)
        if sizes[key] >= BATCH_BYTES:
            yield key, waiting.pop(key)
            del sizes[key]
    yield from waiting.items()
