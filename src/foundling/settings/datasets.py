"""Settings of datasets: where records come from, how their files are read, cleaned and split."""

from collections.abc import Mapping
from typing import Annotated, Literal

from annotated_types import Gt, Lt
from pydantic import Field, JsonValue
from pydantic.dataclasses import dataclass

from foundling.settings.types import Fraction, Megabytes, Natural, Positive, PositiveNumber
from foundling.validation import STRICT

SplitShare = Annotated[float, Gt(0), Lt(1)]


@dataclass(frozen=True, config=STRICT, kw_only=True)
class File:
    """A file to download: looked for in the mirror, at `path` and at each URL."""

    mirror: str | None = None  # path below the mirror folder
    path: str | None = None
    url: str | tuple[str, ...] | None = None
    size: Natural | None = None  # bytes
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    note: str | None = None  # printed where the file is in none of these places


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Hub:
    """A dataset, or the files of a model, on the Hugging Face hub."""

    id: str
    revision: str | None = None  # a commit, branch or tag
    config: str | None = None
    split: str | None = None
    files: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None
    streaming: bool = False
    limit: Positive | None = None  # records


@dataclass(frozen=True, config=STRICT, kw_only=True)
class FileFormat:
    """How files are read, data/formats.py; None: found out, or the reader's default."""

    format: str | None = None
    text: str | None = None  # the field that holds the text
    separator: str | None = None  # between the documents of a text file
    encoding: str | None = None
    errors: Literal["strict", "replace"] | None = None
    delimiter: str | None = None  # of csv and tsv
    quoting: bool | None = None
    header: bool | None = None
    columns: tuple[str, ...] | None = None  # names that replace the header's
    members: str | None = None  # a glob of the names to take out of an archive
    record_megabytes: PositiveNumber | None = None
    unpacked_gigabytes: PositiveNumber | None = None
    unpacked_ratio: PositiveNumber | None = None


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Source(FileFormat):
    """One source of a dataset: exactly one of `files`, `path`, `hub` and `generate` says where it comes from."""

    name: str
    files: tuple[File, ...] | None = None
    path: str | None = None
    hub: Hub | None = None
    generate: Mapping[str, JsonValue] | None = None  # a generator of fables/generators.py and its arguments
    weight: PositiveNumber = 1.0  # of this source in a mixture
    first: Fraction = 0.0  # share of the training steps that draw from this source before any other
    begins: str | None = None  # a pattern of the line that begins a document
    settings: str | None = None  # the section whose plain settings these are, for messages


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Dataset:
    """Named sources."""

    name: str
    sources: tuple[Source, ...]


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Clean:
    """Which documents of a corpus are left out."""

    min_characters: Natural
    deduplicate: bool


@dataclass(frozen=True, config=STRICT, kw_only=True)
class CorpusSplit:
    """How documents are held out for validation."""

    validation: Annotated[float, Gt(0), Lt(1)]
    by: Literal["document", "position"]


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Corpus(Dataset, FileFormat):
    """The text to pretrain on; conf/corpus. The settings that default to None are shorthands of single choices."""

    clean: Clean
    split: CorpusSplit
    megabytes: Megabytes | None = None
    limit: Positive | None = None
    path: str | None = None


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Tokenizer:
    """How text becomes ids; conf/tokenizer."""

    kind: Literal["bpe", "char", "gpt2", "weights"]
    specials: tuple[str, ...] | None
    dtype: Literal["auto", "uint16", "uint32"]
    vocab_size: Positive | None = None
    train_megabytes: Megabytes | None = None


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Weights:
    """Published weights to begin with; conf/weights."""

    init_from: str
    files: tuple[File, ...]
    hub: Hub | None


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Split:
    """How examples are split: drawn by the seed, or by the names of their sources."""

    by: Literal["drawn", "source"]
    validation: SplitShare
    test: SplitShare


@dataclass(frozen=True, config=STRICT, kw_only=True)
class StratifiedSplit:
    """How labelled examples are split: drawn by the seed within each label, or by the names of their sources."""

    by: Literal["stratified", "source"]
    validation: SplitShare
    test: SplitShare


@dataclass(frozen=True, config=STRICT, kw_only=True)
class QuestionFields:
    """Which fields of a record hold a multiple-choice question."""

    query: str
    choices: str
    gold: str


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Benchmark(Dataset):
    """Questions for a base model; conf/benchmark."""

    scoring: Literal["multiple_choice", "minimal_pairs"]
    fields: QuestionFields | None = None
    template: str | None = None
    normalised: bool = False  # divide a choice's log-likelihood by its length in bytes


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Rehearsal:
    """How much of the base's own text and benchmarks is measured before and after tuning."""

    questions: Natural | None  # of each benchmark; None: all
    tokens: Natural  # of held-out text
