"""A fetched corpus to documents: cleaned, each text once, and split so that a document stays in its split.

settings/datasets.py, Corpus, has the settings. Lines (`format: lines`) are kept where they repeat, as in
songs and logs.
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
# all of Unicode's Cc but line end and tab; half of a surrogate pair, which no UTF-8 can hold
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")

# why a document is left out or changed, and what else is counted
EMPTY, SHORT = "left out: empty", "left out: shorter than clean.min_characters"
DUPLICATE, REPEATED = "left out: came before", "kept: lines that came before"
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
    """How much text there is."""

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
    """What of a corpus was left out or changed: by source and reason, how many documents and characters.

    `rows` counts by source and reason what was left out or changed before there were documents.
    """

    def __init__(self) -> None:
        self.documents: Counter[tuple[str, str]] = Counter()
        self.characters: Counter[tuple[str, str]] = Counter()
        self.rows: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def add(self, source: str, reason: str, characters: int) -> None:
        """Count one document, and the characters of it that are concerned."""
        self.documents[source, reason] += 1
        self.characters[source, reason] += characters

    def changes(self) -> tuple[Change, ...]:
        """One for each source and reason, in the order in which they first occurred."""
        counts = [(*key, count, self.characters[key]) for key, count in self.documents.items()]
        counts += [(name, reason, n, 0) for name, reasons in self.rows.items() for reason, n in reasons.items()]
        return tuple(
            Change(source=source, reason=reason, documents=documents, characters=characters)
            for source, reason, documents, characters in counts
        )


def documents(folder: Path, corpus: datasets.Corpus, tally: Tally | None = None) -> Iterator[Document]:
    """Stream the corpus that was fetched into `folder`, source by source; `tally` counts what is left out or changed.

    Memory holds one document, and a digest of 16 bytes for each one before. A source without a document, and a
    corpus without a training or a validation document, raise ValueError at the end.
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
    """The text in Unicode NFC, with "\\n" line ends and without control characters; clean text stays as it is."""
    return unicodedata.normalize("NFC", CONTROLS.sub("", LINE_ENDS.sub("\n", text)))


def split_of(digest: bytes, share: float) -> str:
    """The split of a document, from its own digest alone: whatever else the corpus holds, it stays there."""
    return VALIDATION if int.from_bytes(digest[:8], "big") < share * 2**64 else TRAIN


def cut(text: str, share: float) -> tuple[str, str]:
    """Cut by position as nanoGPT does: the first int(n * 0.9) characters train, the rest validate."""
    at = int(len(text) * (1 - share))
    return text[:at], text[at:]


def _cleaned(
    texts: Iterable[str], source: datasets.Source, settings: datasets.Clean, digests: set[bytes], tally: Tally
) -> Iterator[tuple[str, bytes]]:
    """Clean texts with their digests, without those too short and those of `digests`, which grow; `tally` counts."""
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
    """(split, text) of one source's documents; a single document is cut, as there is no other to hold out."""
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
    """Lines joined to documents: one begins at each line that matches the pattern."""
    lines: list[str] = []
    for line in texts:
        if lines and starts.search(line):
            yield "".join(lines)
            lines = []
        lines.append(line)
    if lines:
        yield "".join(lines)


def _check_complete(corpus: datasets.Corpus, empty: set[str], counts: Mapping[str, int]) -> None:
    """Refuse sources and splits without a document."""
    if empty:
        raise ValueError(
            f"source {', '.join(sorted(empty))} of corpus {corpus.name} holds no document of at least "
            f"{max(1, corpus.clean.min_characters)} characters that was not seen before; give it text, lower "
            "corpus.clean.min_characters, or remove the source"
        )
    for split, count in counts.items():
        if not count:
            raise ValueError(
                f"none of the {sum(counts.values())} documents of corpus {corpus.name} fell into {split}; set "
                "corpus.split.by=position to split each of them, change corpus.split.validation, or add documents"
            )
