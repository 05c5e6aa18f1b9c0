"""The token embeddings of words: nearest neighbours, and the accuracy of analogies.

Only words that are a single token are included. Shapes: N words, C width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations

import numpy as np

from foundling.model.gpt import GPT
from foundling.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class WordMap:
    """Words and their vectors (N, C), normalized to length 1: a dot product is a cosine similarity."""

    words: list[str]
    vectors: np.ndarray

    @cached_property
    def index(self) -> dict[str, int]:
        """The row of each word."""
        return {word: i for i, word in enumerate(self.words)}

    def of(self, words: Sequence[str]) -> np.ndarray:
        """The vectors (n, C) of n words."""
        return self.vectors[[self.index[word] for word in words]]

    def known(self, words: Sequence[str]) -> list[str]:
        """Those of the words that have a vector."""
        return [word for word in words if word in self.index]

    def nearest(
        self, point: np.ndarray, count: int, leave_out: Sequence[str] = ()
    ) -> list[tuple[str, float]]:
        """The `count` words with the highest cosine similarity to a point (C,), and these similarities."""
        closeness = self.vectors @ (point / np.linalg.norm(point))  # (N,)
        order = [i for i in np.argsort(-closeness, kind="stable") if self.words[i] not in leave_out]
        return [(self.words[i], float(closeness[i])) for i in order[:count]]

    def analogy(self, a: str, b: str, c: str, count: int = 1) -> list[tuple[str, float]]:
        """Answers to a : b = c : ?, the words nearest to b - a + c but these (Mikolov et al. 2013)."""
        va, vb, vc = self.of([a, b, c])
        return self.nearest(vb - va + vc, count, (a, b, c))


def word_map(model: GPT, tokenizer: Tokenizer) -> WordMap:
    """The vectors of all words (a space followed by letters) that are a single token."""
    table = model.token_embedding.weight.detach().float().cpu().numpy()  # (V, C)
    rows = {}
    for i, token in enumerate(tokenizer.token_bytes):
        text = token.decode(errors="replace")
        if text[:1] == " " and text[1:].isalpha():
            rows[text[1:]] = i
    vectors = table[list(rows.values())]  # (N, C)
    return WordMap(list(rows), vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-12))


@dataclass(frozen=True)
class Analogies:
    """How many analogies of a relation were answered correctly; without questions all accuracies are 0."""

    pairs: int
    questions: int
    top1: float  # the accuracies: d is the answer, among all words
    top5: float  # d is one of the first five
    chance: float  # of top1, by guessing
    among_answers: float  # only the relation's second words are allowed
    nearest_to_c: float  # the same, without a and b
    chance_among_answers: float


def analogies(words: WordMap, pairs: Sequence[tuple[str, str]]) -> Analogies:
    """Answer a : b = c : ? for all pairs (a, b), (c, d) of a relation with four different words."""
    known = [(a, b) for a, b in dict.fromkeys(pairs) if a in words.index and b in words.index and a != b]
    answers = words.known(list(dict.fromkeys(b for _, b in known)))
    hits = dict.fromkeys(("top1", "top5", "among_answers", "nearest_to_c", "chance_among_answers"), 0.0)
    questions = 0
    for (a, b), (c, d) in permutations(known, 2):
        if len({a, b, c, d}) < 4:
            continue
        va, vb, vc = words.of([a, b, c])
        best = [word for word, _ in words.nearest(vb - va + vc, 5, (a, b, c))]
        others = [word for word in answers if word not in (a, b, c)]
        rows = words.of(others)  # (n, C)
        questions += 1
        hits["top1"] += best[:1] == [d]
        hits["top5"] += d in best
        hits["among_answers"] += others[int((rows @ (vb - va + vc)).argmax())] == d
        hits["nearest_to_c"] += others[int((rows @ vc).argmax())] == d
        hits["chance_among_answers"] += 1 / len(others)
    accuracies = {name: count / max(1, questions) for name, count in hits.items()}
    return Analogies(len(known), questions, chance=1 / max(1, len(words.words) - 3), **accuracies)
