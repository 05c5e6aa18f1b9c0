"""Records of data: data/raw/*/meta.json of a fetched dataset, metrics/data.json of the tokenized corpus."""

from collections.abc import Mapping
from dataclasses import field

from pydantic.dataclasses import dataclass

from foundling.metrics import SCHEMA


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class File:
    """A file below the source's folder."""

    file: str
    bytes: int
    sha256: str


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class LeftOutFiles:
    """Files of a source that were left out for one reason when it was fetched."""

    files: int
    names: tuple[str, ...]  # of the first ones


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class Digest:
    """A user's own files: how many, and one hash over their names and contents."""

    files: int
    sha256: str


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class Fetched:
    """A fetched dataset, by source."""

    dataset: str
    settings: Mapping[str, str]  # fingerprints of what decides which bytes a source brings
    sources: Mapping[str, tuple[File, ...]]
    left_out: Mapping[str, Mapping[str, LeftOutFiles]] = field(default_factory=dict)  # by reason
    own: Mapping[str, Digest] = field(default_factory=dict)  # of sources with a `path`


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class Shard:
    """One split of one source."""

    source: str
    split: str
    documents: int
    characters: int
    words: int
    tokens: int
    characters_per_token: float
    share: float  # of the training tokens that come from this source


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class Change:
    """Documents of a source that were left out or changed for one reason."""

    source: str
    reason: str
    documents: int
    characters: int


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class Data:
    """The vocabulary, the shards, and what of the corpus was left out or changed."""

    vocab_size: int
    rows: tuple[Shard, ...]
    changes: tuple[Change, ...]
    left_out_files: Mapping[str, Mapping[str, LeftOutFiles]]  # by source and reason
