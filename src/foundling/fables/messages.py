"""Messages, spam or ham, as short as a text on a phone: `messages(seed, count, split)` yields {"text", "label"}.

A reader tells them apart by who asks whom to do what. The words do not give it away: each scene is written from both
sides with the same words, ham quotes spam and denies it, and spelling, abbreviations and casing are roughened alike.
"""

import re
from collections.abc import Iterator
from random import Random

from foundling.fables.message_scenes import HAM, HAM_TEST, HAM_VALIDATION, SLOTS, SPAM, SPAM_TEST, SPAM_VALIDATION
from foundling.fables.phrasing import check_split, say, split_of

UNSEEN = 3  # in validation and test, one message in so many has a phrasing of its split, which nobody trains on
SCENES = {
    "spam": {"train": SPAM, "validation": SPAM_VALIDATION, "test": SPAM_TEST},
    "ham": {"train": HAM, "validation": HAM_VALIDATION, "test": HAM_TEST},
}
SHORT_FORMS = {
    "you": "u", "your": "ur", "are": "r", "for": "4", "to": "2", "please": "pls", "tonight": "2nite",
    "tomorrow": "tmrw", "thanks": "thx", "because": "cos", "before": "b4", "and": "&", "see": "c", "today": "2day",
    "people": "ppl", "text": "txt", "message": "msg", "with": "w", "be": "b", "weekend": "wkend",
}  # fmt: skip


def messages(seed: int, count: int, split: str) -> Iterator[dict[str, str]]:
    """Yield `count` messages; no text stands in two splits."""
    check_split(split)
    rng = Random(f"messages {seed} {split}")
    for _ in range(count):
        label = rng.choice(("spam", "ham"))
        text = _message(rng, label, split)
        while split_of("message", text) != split:
            text = _message(rng, label, split)
        yield {"text": text, "label": label}


def _message(rng: Random, label: str, split: str) -> str:
    scenes = SCENES[label]
    patterns = scenes[split] if split != "train" and rng.randrange(UNSEEN) == 0 else scenes["train"]
    return _roughen(rng, _sentences(say(rng.choice(patterns), rng, SLOTS)))


def _sentences(text: str) -> str:
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
    """Write as people do on a phone; three in eight stay as they are."""
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
    """Shorten or misspell now and then; words with digits or dots inside (sums, codes, addresses) stay."""
    bare = word.rstrip(".,!?")
    tail = word[len(bare) :]
    if bare.lower() in SHORT_FORMS and rng.randrange(2) == 0:
        return SHORT_FORMS[bare.lower()] + tail
    if len(bare) > 4 and bare.isalpha() and rng.randrange(12) == 0:
        at = 1 + rng.randrange(len(bare) - 2)
        swapped = bare[:at] + bare[at + 1] + bare[at] + bare[at + 2 :]
        return (swapped if rng.randrange(2) else bare[:at] + bare[at + 1 :]) + tail
    return word
