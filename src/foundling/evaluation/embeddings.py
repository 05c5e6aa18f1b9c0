"""The token embeddings of words: nearest neighbours, and the accuracy of analogies.

Only words that are one token are included. N words, C width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations
from typing import Any

import numpy as np

from foundling.model.gpt import GPT
from foundling.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class WordMap:
    """Words and their vectors (N, C), normalised to length 1, so that the product of two is their cosine."""

    words: list[str]
    vectors: np.ndarray

    @cached_property
    def index(self) -> dict[str, int]:
        """The row of each word."""
        return {word: i for i, word in enumerate(self.words)}

    def of(self, words: Sequence[str]) -> np.ndarray:
        """The vectors (n, C) of these words."""
        return self.vectors[[self.index[word] for word in words]]

    def known(self, words: Sequence[str]) -> list[str]:
        """Those of the words that are included."""
        return [word for word in words if word in self.index]

    def nearest(self, point: np.ndarray, count: int, leave_out: Sequence[str] = ()) -> list[tuple[str, float]]:
        """The `count` words in the direction of a point (C,), with their cosines, the nearest first."""
        closeness = self.vectors @ (point / np.linalg.norm(point))  # (N,)
        order = [i for i in np.argsort(-closeness, kind="stable") if self.words[i] not in leave_out]
        return [(self.words[i], float(closeness[i])) for i in order[:count]]

    def analogy(self, a: str, b: str, c: str, count: int = 1) -> list[tuple[str, float]]:
        """The words nearest to b - a + c, except these three, as answers to a : b = c : ? (Mikolov et al. 2013)."""
        va, vb, vc = self.of([a, b, c])
        return self.nearest(vb - va + vc, count, (a, b, c))


def word_map(model: GPT, tokenizer: Tokenizer) -> WordMap:
    """The map of the words (letters alone, a space in front) that are one token each."""
    table = model.token_embedding.weight.detach().float().cpu().numpy()  # (V, C)
    rows = {}
    for token, i in tokenizer.ranks.items():
        text = token.decode(errors="replace")
        if text[:1] == " " and text[1:].isalpha():
            rows[text[1:]] = i
    vectors = table[list(rows.values())]  # (N, C)
    return WordMap(list(rows), vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-12))


def analogies(words: WordMap, pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Ask a : b = c : ? for any two pairs (a, b), (c, d) of a relation, four different words that are on the map.

    Returns how many were `asked`; the share of these where d came `first` of all words, was one of the first five
    (`top5`), and would be first by `chance`; then the same where only the relation's own answers may be given:
    `among_answers`, `chance_among`, and `without` a and b, by what is nearest to c. Nothing asked: all shares are 0.
    """
    known = [(a, b) for a, b in dict.fromkeys(pairs) if a in words.index and b in words.index and a != b]
    answers = words.known(list(dict.fromkeys(b for _, b in known)))
    hits = dict.fromkeys(("first", "top5", "among_answers", "without", "chance_among"), 0.0)
    asked = 0
    for (a, b), (c, d) in permutations(known, 2):
        if len({a, b, c, d}) < 4:
            continue
        va, vb, vc = words.of([a, b, c])
        best = [word for word, _ in words.nearest(vb - va + vc, 5, (a, b, c))]
        others = [word for word in answers if word not in (a, b, c)]
        rows = words.of(others)  # (n, C)
        asked += 1
        hits["first"] += best[:1] == [d]
        hits["top5"] += d in best
        hits["among_answers"] += others[int((rows @ (vb - va + vc)).argmax())] == d
        hits["without"] += others[int((rows @ vc).argmax())] == d
        hits["chance_among"] += 1 / len(others)
    shares = {name: count / max(1, asked) for name, count in hits.items()}
    return {"pairs": len(known), "asked": asked, **shares, "chance": 1 / max(1, len(words.words) - 3)}
