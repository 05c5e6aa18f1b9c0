"""Sentence pairs: `pairs(seed, count, language, split)` yields {"source": English, "target": German or
French}.

`phrasebook` writes the same pairs as {"text"}, for a corpus with some text in another language.

Most are sentences with a capital and a full stop ("The lion is in the forest."); one in eight has neither, as
people often type. The nouns and the verb of a pair decide its split, whatever their number, tense, adjectives
or language: "the lion … the forest" is either in test or in training. Each single word occurs in training.
"""

from collections.abc import Callable, Iterator
from random import Random

from foundling.fables.clause_kinds import combination, draw_clause
from foundling.fables.clauses import Clause
from foundling.fables.english import capitalized, english
from foundling.fables.french import french
from foundling.fables.german import german
from foundling.fables.phrasing import check_split, draw_in_split

LANGUAGES: dict[str, Callable[[Clause], str]] = {"german": german, "french": french}
BARE = 8  # one pair in eight has no capital and no full stop


def pairs(seed: int, count: int, language: str, split: str) -> Iterator[dict[str, str]]:
    """Yield `count` pairs in `language`, "german" or "french"."""
    check_split(split)
    if language not in LANGUAGES:
        raise ValueError(f"unknown language={language!r}; choose one of {', '.join(LANGUAGES)}")
    rng = Random(f"pairs {seed} {split}")
    for _ in range(count):
        clause = draw_in_split(split, lambda: draw_clause(rng), lambda clause: ("pair", *combination(clause)))
        yield _pair(rng, clause, language)


def phrasebook(seed: int, count: int, language: str, split: str) -> Iterator[dict[str, str]]:
    """Yield `count` texts of one pair each; three in four have English first, the others have it last."""
    rng = Random(f"phrasebook {seed} {split}")
    for pair in pairs(seed, count, language, split):
        sides = [f"English: {pair['source']}", f"{language.title()}: {pair['target']}"]
        yield {"text": " ".join(sides if rng.randrange(4) else sides[::-1])}


def _pair(rng: Random, clause: Clause, language: str) -> dict[str, str]:
    """Put both sides into words, with a capital and a closing mark or without."""
    source, target = english(clause), LANGUAGES[language](clause)
    if clause.form == "statement":
        if rng.randrange(BARE) == 0:
            return {"source": source, "target": target}
        return {"source": capitalized(source) + ".", "target": capitalized(target) + "."}
    closing = " ?" if language == "french" else "?"  # French has a space in front of it
    return {"source": capitalized(source) + "?", "target": capitalized(target) + closing}
