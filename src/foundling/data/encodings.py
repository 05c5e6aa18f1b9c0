"""Detect the encoding of bytes: by a byte order mark, as valid UTF-8, or else by charset-normalizer."""

import codecs
from collections.abc import Callable, Iterable

AUTO = "auto"  # the setting that asks for detection
MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",  # starts with UTF-16's mark, so it is tried first
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
WESTERN = "cp1252"  # of Windows; its letters include those of Latin-1
SAMPLE = 100_000  # bytes that detection uses


def detect(chunks: Callable[[], Iterable[bytes]]) -> str:
    """The encoding of a file; each call of `chunks` iterates over its bytes from the start.

    Damaged UTF-8 is detected as "utf-8", so that reading it reports the first bad byte.
    """
    head = next(iter(chunks()), b"")[:SAMPLE]
    for mark, name in MARKS.items():
        if head.startswith(mark):
            return name
    if wide := _utf_16(head):
        return wide
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for chunk in chunks():
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return _legacy(chunks())
    return "utf-8"


def _utf_16(head: bytes) -> str | None:
    """UTF-16 without a mark: every other byte of Latin text is 0, which does not occur in other encodings."""
    pairs = len(head) // 2
    if pairs and head[1::2].count(0) > 0.4 * pairs and not head[::2].count(0):
        return "utf-16-le"
    if pairs and head[::2].count(0) > 0.4 * pairs and not head[1::2].count(0):
        return "utf-16-be"
    return None


def _legacy(chunks: Iterable[bytes]) -> str:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    whole = broken = 0
    telling = bytearray()  # lines with bytes beyond ASCII
    for chunk in chunks:
        text = decoder.decode(chunk)
        replaced = text.count("\ufffd")
        broken += replaced
        whole += sum(map(text.count, set(text) - {"\ufffd"} - _ASCII)) if not text.isascii() else 0
        for line in chunk.splitlines(keepends=True):
            if len(telling) < SAMPLE and not line.isascii():
                telling += line[:SAMPLE]
    if whole >= broken:
        return "utf-8"
    return _judged(bytes(telling))


_ASCII = set(map(chr, range(128)))


def _judged(sample: bytes) -> str:
    """charset-normalizer's best guess, or the Western encoding, the most common, if it is as good."""
    from charset_normalizer import from_bytes

    found = list(from_bytes(sample))
    if not found:
        return _western(sample)
    likeliest = found[0]
    for match in found:
        names = {match.encoding, *match.could_be_from_charset}
        if names & {WESTERN, "latin_1"} and match.chaos <= likeliest.chaos + 0.01:
            return _western(sample)
    return likeliest.encoding


def _western(sample: bytes) -> str:
    """Windows' Western encoding, or Latin-1 if the sample has bytes that the former does not define."""
    try:
        sample.decode(WESTERN)
    except UnicodeDecodeError:
        return "latin-1"
    return WESTERN
