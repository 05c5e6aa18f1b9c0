"""The script that texts are written in, and their words, for metrics that compare words.

Chinese, Japanese, Thai, Lao, Khmer and Burmese do not write spaces between words: each of their characters
counts as a word, with the marks above and below it.
"""

from collections.abc import Iterable

import regex

LATIN, CHINESE, JAPANESE, KOREAN, UNSPACED, OTHER = (
    "Latin",
    "Chinese",
    "Japanese",
    "Korean",
    "unspaced",
    "other",
)
_SCRIPTS = {
    LATIN: regex.compile(r"\p{Latin}"),
    CHINESE: regex.compile(r"\p{Han}"),
    JAPANESE: regex.compile(r"[\p{Hiragana}\p{Katakana}]"),
    KOREAN: regex.compile(r"\p{Hangul}"),
    UNSPACED: regex.compile(r"[\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"),
}
_NOT_LATIN = regex.compile(r"(?V1)[\p{L}--\p{Latin}]")
_LETTER = regex.compile(r"\p{L}")
_ALONE = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_WORD = regex.compile(rf"(?V1)[{_ALONE}]\p{{M}}*|[[\p{{L}}\p{{M}}\p{{N}}]--[{_ALONE}]]+")


def script_of(texts: Iterable[str]) -> str:
    """The script of most letters of the texts; Latin if there are no letters.

    Japanese mixes its own letters with Chinese characters; a tenth of its own is enough to recognize it.
    """
    whole = "\n".join(texts)
    counts = {name: len(pattern.findall(whole)) for name, pattern in _SCRIPTS.items()}
    letters = len(_LETTER.findall(whole))
    counts[OTHER] = letters - sum(counts.values())
    if counts[JAPANESE] and counts[JAPANESE] >= 0.1 * (counts[JAPANESE] + counts[CHINESE]):
        counts[JAPANESE] += counts.pop(CHINESE)
    return max(counts, key=counts.__getitem__)  # the first, if several are equal


def is_latin(texts: Iterable[str]) -> bool:
    """Whether all letters of the texts are Latin."""
    return not any(_NOT_LATIN.search(text) for text in texts)


def words(text: str) -> list[str]:
    """The words of a text in any script, in lower case, separated by anything but letters and digits."""
    return _WORD.findall(text.lower())
