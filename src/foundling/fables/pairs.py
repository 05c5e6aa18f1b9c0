"""Sentence pairs: `pairs(seed, count, language, split)` yields {"source": English, "target": German or French}.

`phrasebook` writes the same pairs as {"text"}, for a corpus that is to hold some of another language.

Most are sentences with capital and full stop ("The lion is in the forest."); one in eight has neither, as people type.
The nouns and the verb of a pair decide its split, whatever their number, tense, adjectives or language: "the lion … the
forest" stands in the test or in training, never in both. Words never do: each is trained on.
"""

from collections.abc import Callable, Iterator
from random import Random

from foundling.fables.clause_kinds import combination, draw_clause
from foundling.fables.clauses import Clause
from foundling.fables.english import english
from foundling.fables.french import french
from foundling.fables.german import german
from foundling.fables.phrasing import check_split, split_of

LANGUAGES: dict[str, Callable[[Clause], str]] = {"german": german, "french": french}
PLAIN = 8  # one pair in so many has no capital and no full stop


def pairs(seed: int, count: int, language: str, split: str) -> Iterator[dict[str, str]]:
    """Yield `count` pairs in `language`, "german" or "french"."""
    check_split(split)
    if language not in LANGUAGES:
        raise ValueError(f"found language={language!r}; allowed are {', '.join(LANGUAGES)}; take one of them")
    rng = Random(f"pairs {seed} {split}")
    for _ in range(count):
        said = draw_clause(rng)
        while split_of("pair", *combination(said)) != split:
            said = draw_clause(rng)
        yield _dress(rng, said, language)


def phrasebook(seed: int, count: int, language: str, split: str) -> Iterator[dict[str, str]]:
    """Yield `count` texts of a pair each, as a phrase book has them: English first, or the other language first."""
    rng = Random(f"phrasebook {seed} {split}")
    for pair in pairs(seed, count, language, split):
        sides = [("English", pair["source"]), (language.title(), pair["target"])]
        yield {"text": " ".join(f"{name}: {said}" for name, said in (sides if rng.randrange(4) else sides[::-1]))}


def _dress(rng: Random, said: Clause, language: str) -> dict[str, str]:
    """Both sides with capital and stop, or without."""
    source, target = english(said), LANGUAGES[language](said)
    if said.form == "statement" and rng.randrange(PLAIN) == 0:
        return {"source": source, "target": target}
    stop, other = (".", ".") if said.form == "statement" else ("?", " ?" if language == "french" else "?")
    return {"source": _capital(source) + stop, "target": _capital(target) + other}


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
