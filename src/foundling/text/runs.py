"""Cut long runs of one kind of character, for which a tokenizer would need too much time or stack.

The pattern that splits text into words matches a run of spaces, or of letters, as one piece: its regular
expression then needs a stack as deep as the run is long, and merging a piece's bytes takes more than linear
time. Ordinary text has no such runs, but logs, scraped pages and binary data do.
"""

from collections.abc import Iterator

import regex

LONGEST_RUN = 1 << 14  # characters; pieces of ordinary text have fewer than a hundred
_RUN, _SPACE = regex.compile(r"\s+|\S+"), regex.compile(r"\s")
_LAST_SPACE, _LAST_OTHER = regex.compile(r"(?r)\s"), regex.compile(r"(?r)\S")
# where no pattern in use continues a piece: between a letter or digit and another kind of character
_SEAM = regex.compile(r"(?r)(?<=[\p{L}\p{N}])(?=[^\s\p{L}\p{M}\p{N}])")


def without_long_runs(text: str, longest: int = LONGEST_RUN) -> Iterator[str]:
    """Split a text so that no part has more than `longest` characters of white space, or of others, in a row.

    The joined parts are the text; a text without such a run is one part. A run without white space is cut
    after a word if it holds several (Chinese has no spaces), otherwise by length.
    """
    start = 0
    for cut in _cuts(text, longest):
        yield text[start:cut]
        start = cut
    yield text[start:]


def _cuts(text: str, longest: int) -> Iterator[int]:
    """The places to cut at.

    Only every `longest`-th character is examined: a longer run covers one of them.
    """
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
    """Where the run around the character at this place begins, at `lowest` or later."""
    before = _LAST_OTHER if _SPACE.match(text, at) else _LAST_SPACE
    other = before.search(text, lowest, at)
    return other.end() if other else lowest


def _place(text: str, begin: int, limit: int) -> int:
    """Where to cut a run: at the last seam up to the limit, else at the limit."""
    seam = _SEAM.search(text, begin + 1, limit)
    return seam.start() if seam else limit
