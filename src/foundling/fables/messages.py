"""Spam and ham, short like text messages: `messages(seed, count, split)` yields {"text", "label"}.

The two differ in who asks whom to do what, not in single words: each scene is written from both sides with
the same words, ham quotes and contradicts spam, and spelling, abbreviations and case vary equally in both.
"""

import re
from collections.abc import Iterator
from functools import partial
from random import Random

from foundling.fables.phrasing import check_split, choose_phrasing, draw_in_split, say
from foundling.fables.tables import document, pattern_groups

# label -> split -> patterns
SCENES = {label: pattern_groups(document("messages")[label]) for label in ("spam", "ham")}
SLOTS = pattern_groups(document("messages")["slots"])
SHORT_FORMS: dict[str, str] = document("messages")["short_forms"]


def messages(seed: int, count: int, split: str) -> Iterator[dict[str, str]]:
    """Yield `count` messages; no text is in two splits."""
    check_split(split)
    rng = Random(f"messages {seed} {split}")
    for _ in range(count):
        label = rng.choice(("spam", "ham"))
        text = draw_in_split(split, partial(_message, rng, label, split), lambda text: ("message", text))
        yield {"text": text, "label": label}


def _message(rng: Random, label: str, split: str) -> str:
    pattern = choose_phrasing(rng, split, SCENES[label]["train"], SCENES[label][split])
    return _roughen(rng, _capitalize(say(pattern, rng, SLOTS)))


def _capitalize(text: str) -> str:
    """Give each sentence its capital."""
    letters = list(text)
    starts = True
    for at, letter in enumerate(letters):
        if starts and letter.isalpha():
            letters[at] = letter.upper()
        if not letter.isspace():
            starts = letter in ".!?" and text[at + 1 : at + 2] == " "
    return "".join(letters)


def _roughen(rng: Random, text: str) -> str:
    """Change the style to that of text messages; three texts in eight are unchanged."""
    style = rng.randrange(8)
    if style >= 5:
        return text
    words = [_rough_word(rng, word) for word in text.split(" ")]
    text = " ".join(words)
    if style == 0:
        return text.lower()
    if style == 1:
        return re.sub(r"(?<=\w)'(?=\w)", "", text).rstrip(".")
    if style == 2 and rng.randrange(3) == 0:
        return text.upper()
    return text


def _rough_word(rng: Random, word: str) -> str:
    """Abbreviate or misspell some words, but not sums, codes and addresses."""
    bare = word.rstrip(".,!?")
    tail = word[len(bare) :]
    if bare.lower() in SHORT_FORMS and rng.randrange(2) == 0:
        return SHORT_FORMS[bare.lower()] + tail
    if len(bare) > 4 and bare.isalpha() and rng.randrange(12) == 0:
        at = 1 + rng.randrange(len(bare) - 2)
        swapped = bare[:at] + bare[at + 1] + bare[at] + bare[at + 2 :]
        dropped = bare[:at] + bare[at + 1 :]
        return (swapped if rng.randrange(2) else dropped) + tail
    return word
