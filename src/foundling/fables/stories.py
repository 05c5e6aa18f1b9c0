"""Stories to train on: `stories(seed, megabytes)` yields {"text"} up to a size in UTF-8."""

from collections.abc import Iterator
from random import Random

from foundling.fables.tales import plain, tale

QUESTION = 4  # one story in four ends in a question and its answer


def stories(seed: int, megabytes: float) -> Iterator[dict[str, str]]:
    """Yield stories of the training split, in constant memory; a larger corpus starts with a smaller one."""
    if megabytes <= 0:
        raise ValueError(f"megabytes={megabytes}: must be above 0; set corpus.megabytes=8")
    rng = Random(f"stories {seed}")
    remaining = megabytes * 1e6
    while remaining > 0:
        drawn = tale(rng, "train")
        lines = list(drawn.lines)
        if drawn.questions and rng.randrange(QUESTION) == 0:
            lines.append(rng.choice(drawn.questions))
        text = plain(" ".join(lines))
        remaining -= len(text.encode()) + 1
        yield {"text": text}
