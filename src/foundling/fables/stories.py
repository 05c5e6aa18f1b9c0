"""Stories to train on: `stories(seed, megabytes)` yields {"text"} until so many megabytes of UTF-8 are written."""

from collections.abc import Iterator
from random import Random

from foundling.fables.tales import plain, tale

ASKED = 4  # one story in so many ends in a question and its answer


def stories(seed: int, megabytes: float) -> Iterator[dict[str, str]]:
    """Yield stories of the training split, in constant memory; a larger size begins with the smaller one's stories."""
    if megabytes <= 0:
        raise ValueError(f"found megabytes={megabytes}; a size above 0 is needed; set corpus.megabytes=8")
    rng = Random(f"stories {seed}")
    left = megabytes * 1e6
    while left > 0:
        drawn = tale(rng, "train")
        lines = list(drawn.lines)
        if drawn.questions and rng.randrange(ASKED) == 0:
            lines.append(rng.choice(drawn.questions))
        text = plain(" ".join(lines))
        left -= len(text.encode()) + 1
        yield {"text": text}
