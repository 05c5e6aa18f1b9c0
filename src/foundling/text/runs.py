"""Long runs of one kind of character, cut where a tokenizer would need more time or stack than there is.

A pattern that cuts text into words takes a run of spaces, or of letters, as one piece: its regular expression then
needs a stack as deep as the run is long, and merging a piece's bytes takes more than linear time. Ordinary text has no
such runs; logs, scraped pages and binary data have.
"""

from collections.abc import Iterator

import regex

LONGEST_RUN = 1 << 14  # characters; pieces of ordinary text have fewer than a hundred
_RUN, _SPACE = regex.compile(r"\s+|\S+"), regex.compile(r"\s")
_LAST_SPACE, _LAST_OTHER = regex.compile(r"(?r)\s"), regex.compile(r"(?r)\S")
# where no pattern in use continues a piece: behind a letter or digit, in front of a mark that is none
_SEAM = regex.compile(r"(?r)(?<=[\p{L}\p{N}])(?=[^\s\p{L}\p{M}\p{N}])")


def without_long_runs(text: str, longest: int = LONGEST_RUN) -> Iterator[str]:
    """The text in parts, none of which has more than `longest` characters of white space, or of others, in a row.

    Joined, the parts are the text; a text without such a run is one part. A run of characters that are no space is cut
    behind a word if it holds several (Chinese has no spaces), else by length.
    """
    start = 0
    for cut in _cuts(text, longest):
        yield text[start:cut]
        start = cut
    yield text[start:]


def _cuts(text: str, longest: int) -> Iterator[int]:
    """The places to cut at: a run as long as that covers one of the places that are looked at, which are few."""
    at = longest
    end = 0  # of the last run that was cut
    while at < len(text):
        if at >= end:
            begin = _begin(text, at, end)
            end = _RUN.match(text, at).end()
            while end - begin > longest:
                begin = _place(text, begin, begin + longest)
                yield begin
        at += longest


def _begin(text: str, at: int, lowest: int) -> int:
    """Where the run that holds the character at this place begins, at `lowest` or later."""
    before = _LAST_OTHER if _SPACE.match(text, at) else _LAST_SPACE
    other = before.search(text, lowest, at)
    return other.end() if other else lowest


def _place(text: str, begin: int, limit: int) -> int:
    """Where to cut a run: at the last seam up to the limit, else at the limit."""
    seam = _SEAM.search(text, begin + 1, limit)
    return seam.start() if seam else limit
