"""Turn a fetched corpus into documents: cleaned, deduplicated, and split by their hashes.

`Corpus` in settings/datasets.py has the settings. Repeated lines (`format: lines`) are kept, as in songs and
logs.
"""

import hashlib
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, groupby, islice
from pathlib import Path

from foundling.data.sources import rows
from foundling.data.splits import TRAIN, VALIDATION
from foundling.metrics.data import Change
from foundling.settings import datasets
from foundling.text.tokenizer import END_OF_TEXT

LINE_ENDS = re.compile("\r\n?")
# Unicode's category Cc without line end and tab, and halves of surrogate pairs, which UTF-8 cannot encode
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")

# why a document is left out or changed, and what else is counted
EMPTY, SHORT = "left out: empty", "left out: shorter than clean.min_characters"
DUPLICATE, REPEATED = "left out: duplicate", "kept: repeated lines"
LINES_ENDED, CONTROLLED = r"changed: line ends to \n", "changed: control characters removed"
COMPOSED, REPLACED = "changed: to Unicode NFC", "changed: undecodable bytes to U+FFFD"
MARKED = f"kept: {END_OF_TEXT} as text"


@dataclass(frozen=True)
class Document:
    """A text of a corpus, its source and its split."""

    source: str
    split: str
    text: str


@dataclass
class Count:
    """The amount of text."""

    documents: int = 0
    characters: int = 0
    words: int = 0
    bytes: int = 0
    tokens: int = 0

    def add(self, text: str, tokens: int) -> None:
        self.documents += 1
        self.characters += len(text)
        self.words += len(text.split())
        self.bytes += len(text.encode())
        self.tokens += tokens


class Tally:
    """Counts documents and characters of a corpus that were left out or changed, by source and reason.

    `rows` counts, by source and reason, what was left out or changed when the files were read.
    """

    def __init__(self) -> None:
        self.documents: Counter[tuple[str, str]] = Counter()
        self.characters: Counter[tuple[str, str]] = Counter()
        self.rows: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def add(self, source: str, reason: str, characters: int) -> None:
        """Count one document, and its characters that were left out or changed."""
        self.documents[source, reason] += 1
        self.characters[source, reason] += characters

    def changes(self) -> tuple[Change, ...]:
        """One for each source and reason, in the order in which they first occurred."""
        counts = [(*key, count, self.characters[key]) for key, count in self.documents.items()]
        counts += [
            (name, reason, n, 0) for name, reasons in self.rows.items() for reason, n in reasons.items()
        ]
        return tuple(
            Change(source=source, reason=reason, documents=documents, characters=characters)
            for source, reason, documents, characters in counts
        )


def documents(folder: Path, corpus: datasets.Corpus, tally: Tally | None = None) -> Iterator[Document]:
    """Stream the corpus in `folder`, source by source; `tally` counts what is left out or changed.

    Needs memory for one document, and for a digest of 16 bytes of each previous one. A source without a
    document, and a corpus without a training or a validation document, raise ValueError at the end.
    """
    corpus = replace(corpus, sources=tuple(replace(one, text=one.text or "text") for one in corpus.sources))
    sources = {source.name: source for source in corpus.sources}
    digests: set[bytes] = set()
    counts = {TRAIN: 0, VALIDATION: 0}
    empty = set(sources)
    tally = tally or Tally()
    for name, group in groupby(rows(folder, corpus, tally.rows), key=lambda row: row.source):
        texts: Iterator[str] = (row.record[str(sources[name].text)] for row in group)
        if begins := sources[name].begins:
            texts = _joined(texts, re.compile(begins))
        kept = _cleaned(texts, sources[name], corpus.clean, digests, tally)
        for split, text in _split(kept, corpus.split):
            empty.discard(name)
            counts[split] += 1
            yield Document(name, split, text)
    _check_complete(corpus, empty, counts)


def clean(text: str) -> str:
    """The text in Unicode NFC, with "\\n" line ends and no control characters; clean text is unchanged."""
    return unicodedata.normalize("NFC", CONTROLS.sub("", LINE_ENDS.sub("\n", text)))


def split_of(digest: bytes, share: float) -> str:
    """The split of a document, which depends only on its digest, not on the rest of the corpus."""
    return VALIDATION if int.from_bytes(digest[:8], "big") < share * 2**64 else TRAIN


def cut(text: str, share: float) -> tuple[str, str]:
    """Cut by position as nanoGPT does: the first int(n * 0.9) characters train, the rest validate."""
    at = int(len(text) * (1 - share))
    return text[:at], text[at:]


def _cleaned(
    texts: Iterable[str], source: datasets.Source, settings: datasets.Clean, digests: set[bytes], tally: Tally
) -> Iterator[tuple[str, bytes]]:
    """Cleaned texts with their digests, without short ones and those in `digests`, which is extended."""
    name, are_lines = source.name, source.format == "lines" and not source.begins
    for raw in texts:
        text = clean(raw)
        if text != raw:
            _count_changes(raw, text, name, tally)
        if source.errors == "replace" and "\ufffd" in text:
            tally.add(name, REPLACED, text.count("\ufffd"))
        if END_OF_TEXT in text:
            tally.add(name, MARKED, text.count(END_OF_TEXT) * len(END_OF_TEXT))
        if len(text) < max(1, settings.min_characters):
            tally.add(name, SHORT if text else EMPTY, len(text))
            continue
        digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
        if settings.deduplicate:
            if digest in digests:
                tally.add(name, REPEATED if are_lines else DUPLICATE, len(text))
                if not are_lines:
                    continue
            digests.add(digest)
        yield text, digest


def _count_changes(raw: str, text: str, source: str, tally: Tally) -> None:
    """Count what cleaning changed in a document."""
    unix = LINE_ENDS.sub("\n", raw)
    controls = len(CONTROLS.findall(unix))
    if unix != raw:
        tally.add(source, LINES_ENDED, raw.count("\r"))
    if controls:
        tally.add(source, CONTROLLED, controls)
    if controls + len(text) != len(unix) or CONTROLS.sub("", unix) != text:
        tally.add(source, COMPOSED, abs(len(unix) - controls - len(text)))


def _split(kept: Iterator[tuple[str, bytes]], settings: datasets.CorpusSplit) -> Iterator[tuple[str, str]]:
    """(split, text) of one source's documents; a single document is split, as no other can be held out."""
    first = list(islice(kept, 2))
    by_position = settings.by == "position" or len(first) == 1
    for text, digest in chain(first, kept):
        if not by_position:
            yield split_of(digest, settings.validation), text
            continue
        for split, part in zip((TRAIN, VALIDATION), cut(text, settings.validation), strict=True):
            if part:
                yield split, part


def _joined(texts: Iterable[str], starts: re.Pattern[str]) -> Iterator[str]:
    """Lines joined into documents, each of which begins at a line that matches the pattern."""
    lines: list[str] = []
    for line in texts:
        if lines and starts.search(line):
            yield "".join(lines)
            lines = []
        lines.append(line)
    if lines:
        yield "".join(lines)


def _check_complete(corpus: datasets.Corpus, empty: set[str], counts: Mapping[str, int]) -> None:
    """Raise ValueError for sources and splits without a document."""
    if empty:
        raise ValueError(
            f"source {', '.join(sorted(empty))} of corpus {corpus.name} has no new document of at least "
            f"{max(1, corpus.clean.min_characters)} characters; add text to it, lower "
            "corpus.clean.min_characters, or remove the source"
        )
    for split, count in counts.items():
        if not count:
            raise ValueError(
                f"none of the {sum(counts.values())} documents of corpus {corpus.name} fell into {split}; "
                "set corpus.split.by=position to split each of them, change corpus.split.validation, or add "
                "documents"
            )
