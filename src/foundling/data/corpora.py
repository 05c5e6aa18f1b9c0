"""Records to documents: cleaned, each text once, and split so that a document never changes sides.

clean:
  min_characters: 1   shorter documents are left out
  deduplicate: true   a document that came before is left out, in whichever source it came; lines (`format: lines`) are
                      kept, as songs and logs repeat theirs
split:
  validation: 0.1     share of the documents that are held out
  by: document        document | position: hold out whole documents, or the last part of each
"""

import hashlib
import logging
import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, groupby, islice
from pathlib import Path
from typing import Any

from foundling.data.sources import rows
from foundling.data.splits import TRAIN, VALIDATION
from foundling.text.tokenizer import END_OF_TEXT

log = logging.getLogger(__name__)
LINE_ENDS = re.compile("\r\n?")
# all of Unicode's Cc but line end and tab; half of a surrogate pair, which no UTF-8 can hold
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")

# reasons to leave out or change a document, and what is worth a word
EMPTY, SHORT = "left out: empty", "left out: shorter than clean.min_characters"
DUPLICATE, REPEATED = "left out: came before", "kept: lines that came before"
LINES_ENDED, CONTROLLED = r"changed: line ends to \n", "changed: control characters removed"
COMPOSED, REPLACED = "changed: to Unicode NFC", "changed: undecodable bytes to U+FFFD"
MARKED = f"kept: {END_OF_TEXT} as text"


@dataclass(frozen=True)
class Document:
    """A text of a corpus: where it came from, which side it is on ("train" or "validation")."""

    source: str
    split: str
    text: str


@dataclass
class Count:
    """How much text there is, for the data table."""

    documents: int = 0
    characters: int = 0
    words: int = 0
    bytes: int = 0

    def add(self, text: str) -> None:
        """Count one document."""
        self.documents += 1
        self.characters += len(text)
        self.words += len(text.split())
        self.bytes += len(text.encode())


@dataclass
class Tally:
    """What of a corpus was left out or changed: by source and reason, how many documents and how many characters.

    `read` counts by source what left no document in the reading of its files, as rows.
    """

    documents: defaultdict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    characters: defaultdict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    read: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, source: str, reason: str, characters: int) -> None:
        """Count one document, and the characters of it that are concerned."""
        self.documents[source, reason] += 1
        self.characters[source, reason] += characters

    def rows(self) -> list[dict[str, Any]]:
        """A row for each source and reason, in the order in which they were first met."""
        found = [
            {"source": source, "reason": reason, "documents": count, "characters": self.characters[source, reason]}
            for (source, reason), count in self.documents.items()
        ]
        for source, reasons in self.read.items():
            found += [
                {"source": source, "reason": reason, "documents": count, "characters": 0}
                for reason, count in reasons.items()
            ]
        return found


def documents(folder: Path, corpus: Mapping[str, Any], tally: Tally | None = None) -> Iterator[Document]:
    """Stream the corpus that sources.fetch() put into `folder`, source by source; `tally` counts what is left out.

    Memory holds the document at hand and a digest of 16 bytes for each one before. A source without a document, and a
    corpus without a training or a validation document, raise ValueError at the end.
    """
    check(corpus)
    share, by_position = float(corpus["split"]["validation"]), corpus["split"]["by"] == "position"
    clean_up = corpus["clean"]
    sources = {source["name"]: {**source, "text": source.get("text") or "text"} for source in corpus["sources"]}
    seen: set[bytes] = set()
    count = {TRAIN: 0, VALIDATION: 0}
    empty = set(sources)
    tally = tally or Tally()
    stream = rows(folder, {**corpus, "sources": list(sources.values())}, tally.read)
    for name, found in groupby(stream, key=lambda row: row.source):
        texts: Iterator[str] = (row.record[sources[name]["text"]] for row in found)
        if sources[name].get("begins"):
            texts = _joined(texts, _pattern(sources[name]))
        kept = _kept(texts, sources[name], clean_up, seen, tally)
        for split, text in _split(kept, share, by_position):
            empty.discard(name)
            count[split] += 1
            yield Document(name, split, text)
    _refuse_empty(corpus, empty, count)


def check(corpus: Mapping[str, Any]) -> None:
    """Refuse weights and splits that mean nothing."""
    for source in corpus["sources"]:
        weight = source.get("weight", 1.0)
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < math.inf:
            raise ValueError(f"source {source['name']} has weight {weight!r}; allowed is a number above 0; fix it")
        first = source.get("first", 0.0)
        if isinstance(first, bool) or not isinstance(first, int | float) or not 0 <= first < 1:
            raise ValueError(
                f"source {source['name']} has first {first!r}; allowed is a share of the training from 0 to below 1; "
                "try 0.1"
            )
        if source.get("begins"):
            _pattern(source)
    share, by = corpus["split"]["validation"], corpus["split"]["by"]
    if not isinstance(share, int | float) or not 0 < share < 1:
        raise ValueError(f"found corpus.split.validation={share!r}; allowed is a share between 0 and 1; try 0.1")
    if by not in ("document", "position"):
        raise ValueError(f"found corpus.split.by={by!r}; allowed are document and position; try document")


def clean(text: str) -> str:
    """The text in Unicode NFC, with "\\n" line ends and without control characters; clean text stays as it is."""
    return unicodedata.normalize("NFC", CONTROLS.sub("", LINE_ENDS.sub("\n", text)))


def split_of(digest: bytes, share: float) -> str:
    """The side of a document, out of nothing but its own digest: whatever else the corpus holds, it stays there."""
    return VALIDATION if int.from_bytes(digest[:8], "big") < share * 2**64 else TRAIN


def cut(text: str, share: float) -> tuple[str, str]:
    """Cut by position as nanoGPT does: the first int(n * 0.9) characters train, the rest validate."""
    at = int(len(text) * (1 - share))
    return text[:at], text[at:]


def _kept(
    texts: Iterable[str], source: Mapping[str, Any], clean_up: Mapping[str, Any], seen: set[bytes], tally: Tally
) -> Iterator[tuple[str, bytes]]:
    """Clean texts with their digests, without those too short and documents seen before; `tally` counts all of it."""
    name, shortest = source["name"], max(1, clean_up["min_characters"])
    are_lines = source.get("format") == "lines" and not source.get("begins")
    for raw in texts:
        text = clean(raw)
        if text != raw:
            _count_changes(raw, text, name, tally)
        if source.get("errors") == "replace" and "\ufffd" in text:
            tally.add(name, REPLACED, text.count("\ufffd"))
        if END_OF_TEXT in text:
            tally.add(name, MARKED, text.count(END_OF_TEXT) * len(END_OF_TEXT))
        if len(text) < shortest:
            tally.add(name, SHORT if text else EMPTY, len(text))
            continue
        digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
        if clean_up["deduplicate"]:
            if digest in seen:
                tally.add(name, REPEATED if are_lines else DUPLICATE, len(text))
                if not are_lines:
                    continue
            seen.add(digest)
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


def _split(kept: Iterator[tuple[str, bytes]], share: float, by_position: bool) -> Iterator[tuple[str, str]]:
    """(split, text) of one source's documents; one document alone is cut, as there is no other to hold out."""
    first = list(islice(kept, 2))
    alone = len(first) == 1
    for text, digest in chain(first, kept):
        if alone or by_position:
            yield from (
                (split, part) for split, part in zip((TRAIN, VALIDATION), cut(text, share), strict=True) if part
            )
        else:
            yield split_of(digest, share), text


def _pattern(source: Mapping[str, Any]) -> re.Pattern[str]:
    try:
        return re.compile(source["begins"])
    except (re.error, TypeError) as error:
        raise ValueError(
            f"source {source['name']} has begins={source['begins']!r}, no regular expression ({error}); fix it"
        ) from None


def _joined(texts: Iterable[str], starts: re.Pattern[str]) -> Iterator[str]:
    """Rows that are lines, joined to documents: one begins at each line that matches the pattern."""
    lines: list[str] = []
    for line in texts:
        if lines and starts.search(line):
            yield "".join(lines)
            lines = []
        lines.append(line)
    if lines:
        yield "".join(lines)


def _refuse_empty(corpus: Mapping[str, Any], empty: set[str], count: Mapping[str, int]) -> None:
    if empty:
        raise ValueError(
            f"source {', '.join(sorted(empty))} of corpus {corpus['name']} holds no document of at least "
            f"{max(1, corpus['clean']['min_characters'])} characters that was not seen before; give it text, lower "
            "corpus.clean.min_characters, or leave the source out"
        )
    for split, number in count.items():
        if not number:
            raise ValueError(
                f"none of the {sum(count.values())} documents of corpus {corpus['name']} fell into {split}; at least "
                "one is needed; set corpus.split.by=position to split each of them, change corpus.split.validation, or "
                "add documents"
            )
