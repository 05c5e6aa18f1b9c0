"""Documents to shards of token ids on disk, and back as memory maps: data/tokens, one file a source and split."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from foundling.artifacts import atomic_folder, read_json, sha256, write_json
from foundling.data.corpora import Count, Document
from foundling.data.splits import TRAIN, VALIDATION
from foundling.text.tokenizer import Tokenizer

META = "meta.json"
BATCH_BYTES = 4 << 20  # text encoded at once: enough for the threads, little for the memory
REBUILD = "rebuild it with `dvc repro --force tokenize`"
DTYPES = ("uint16", "uint32")
# what meta.json says of a shard
SHARD: dict[str, Any] = {"source": str, "split": str, "file": str, "sha256": str, "weight": int | float}
SHARD |= {"first": int | float, "tokens": int, "bytes": int}


@dataclass(frozen=True)
class Source:
    """One source's tokens of one split, mapped from disk."""

    name: str
    weight: float
    ids: np.ndarray
    bytes: int  # of the text, for bits per byte
    first: float = 0.0  # training begins with this source, for that share of its steps


@dataclass(frozen=True)
class Tokens:
    """A tokenized corpus."""

    train: list[Source]
    validation: list[Source]
    meta: dict[str, Any]


def write(
    documents: Iterable[Document],
    tokenizer: Tokenizer,
    folder: Path,
    sources: Iterable[Mapping[str, Any]],
    made_with: Mapping[str, Any],
    dtype: str,
    inputs: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Encode documents as they stream by, each ended by end-of-text; returns what meta.json holds.

    `sources` are those of the corpus config, whose `weight` and `first` tell how training draws from them.
    `inputs` are the sha256 of what the documents and the tokenizer were read from, by path, to be recorded. Memory
    holds a few batches, whatever the corpus. The folder appears whole or not at all.
    """
    kind = np.dtype(_dtype(dtype, tokenizer.vocab_size))
    threads = os.cpu_count() or 1
    drawn = {one["name"]: {"weight": one.get("weight", 1.0), "first": one.get("first", 0.0)} for one in sources}
    counts: dict[tuple[str, str], Count] = {}
    tokens: dict[tuple[str, str], int] = {}
    with atomic_folder(folder) as beside:
        for (name, split), texts in _batches(documents):
            count = counts.setdefault((name, split), Count())
            encoded = tokenizer.encode_batch(texts, threads)
            for text, ids in zip(texts, encoded, strict=True):
                ids.append(tokenizer.end_of_text)
                count.add(text)
            with open(beside / _file(name, split), "ab") as shard:
                shard.write(np.fromiter(chain.from_iterable(encoded), kind).tobytes())
            tokens[name, split] = tokens.get((name, split), 0) + sum(map(len, encoded))
        shards = [
            {
                "source": name,
                "split": split,
                **drawn[name],
                **asdict(count),
                "tokens": tokens[name, split],
                "file": _file(name, split),
                "sha256": sha256(beside / _file(name, split)),
            }
            for (name, split), count in counts.items()
        ]
        meta = {
            "dtype": kind.name,
            "tokenizer": tokenizer.fingerprint,
            "shards": shards,
            "inputs": dict(inputs or {}),
            "made_with": made_with,
        }
        write_json(beside / META, meta)
    return meta


def open_tokens(folder: Path, tokenizer: Tokenizer) -> Tokens:
    """Map the shards of a folder; one that is cut, changed, elsewhere or of another tokenizer is refused."""
    meta = read_json(folder / META)
    if meta.get("tokenizer") != tokenizer.fingerprint:
        raise ValueError(f"{folder} was encoded with another tokenizer than the one at hand; {REBUILD}")
    _check(folder / META, meta)
    kind = np.dtype(meta["dtype"])
    splits: dict[str, list[Source]] = {TRAIN: [], VALIDATION: []}
    for shard in meta["shards"]:
        path = folder / shard["file"]
        wanted = shard["tokens"] * kind.itemsize
        found = path.stat().st_size if path.is_file() else 0
        if found != wanted:
            raise ValueError(f"{path} has {found:,} bytes, {wanted:,} are expected; {REBUILD}")
        if sha256(path) != shard["sha256"]:
            raise ValueError(f"{path} was changed since it was written (its sha256 differs); {REBUILD}")
        ids = np.memmap(path, dtype=kind, mode="r")
        if (highest := int(ids.max())) >= tokenizer.vocab_size:
            raise ValueError(f"{path} holds the id {highest:,}; the tokenizer has {tokenizer.vocab_size:,}; {REBUILD}")
        splits[shard["split"]].append(Source(shard["source"], shard["weight"], ids, shard["bytes"], shard["first"]))
    return Tokens(splits[TRAIN], splits[VALIDATION], meta)


def _check(path: Path, meta: Mapping[str, Any]) -> None:
    """Refuse a meta.json that `write` cannot have written."""
    shards = meta.get("shards")
    if meta.get("dtype") not in DTYPES or not isinstance(shards, list) or not isinstance(meta.get("made_with"), dict):
        raise ValueError(f"{path} has no dtype of {', '.join(DTYPES)}, no shards or no made_with; {REBUILD}")
    for shard in shards:
        for key, kind in SHARD.items():
            value = shard.get(key) if isinstance(shard, dict) else None
            if not isinstance(value, kind) or isinstance(value, bool) or (kind is not str and not 0 <= value < 2**63):
                raise ValueError(f"{path} has a shard with {key}={value!r}; {REBUILD}")
        if shard["split"] not in (TRAIN, VALIDATION) or not shard["tokens"] or not shard["weight"]:
            raise ValueError(f"{path} has a shard of split {shard['split']!r}, or without tokens or weight; {REBUILD}")
        if shard["file"] != _file(shard["source"], shard["split"]) or Path(shard["file"]).name != shard["file"]:
            raise ValueError(f"{path} names the shard {shard['file']!r}, which is not its place; {REBUILD}")


def _dtype(asked: str, vocab_size: int) -> str:
    """The smallest of uint16 and uint32 that holds the vocabulary, or the one that is asked for if it does."""
    if asked not in ("auto", *DTYPES):
        raise ValueError(f"tokenizer.dtype={asked!r} is unknown; choose auto, uint16 or uint32")
    if asked == "uint16" and vocab_size > 1 << 16:
        raise ValueError(
            f"tokenizer.dtype=uint16 holds 65,536 ids and the vocabulary has {vocab_size:,}; take uint32 or auto"
        )
    return asked if asked != "auto" else "uint16" if vocab_size <= 1 << 16 else "uint32"


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
