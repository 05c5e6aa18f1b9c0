"""Neighbours and analogies follow from the vectors' cosines, and are counted as defined."""

from itertools import permutations

import numpy as np
import pytest
import torch

from foundling.evaluation.embeddings import WordMap, analogies, word_map
from foundling.model.gpt import GPT
from foundling.text.vocabularies import train_bpe

# three animals and their homes: an axis for each pair, one that all animals share and one that all homes
# share
PAIRS = [("lion", "desert"), ("bear", "cave"), ("gull", "sea")]
AXES = np.eye(5)
EXACT = WordMap(
    [*(a for a, _ in PAIRS), *(b for _, b in PAIRS), "soup"],
    np.stack([*((AXES[i] + AXES[k]) / 2**0.5 for k in (3, 4) for i in range(3)), AXES[0]]),
)


def test_neighbours_are_ordered_by_cosine() -> None:
    found = EXACT.nearest(EXACT.of(["lion"])[0], 3, leave_out=["lion"])
    assert [word for word, _ in found] == ["soup", "bear", "gull"]
    assert [cosine for _, cosine in found] == pytest.approx([0.5**0.5, 0.5, 0.5])
    assert EXACT.nearest(7 * EXACT.of(["lion"])[0], 1) == [("lion", pytest.approx(1.0))]


def test_an_analogy_leaves_out_what_was_asked_with() -> None:
    assert EXACT.analogy("lion", "desert", "bear") == [("cave", pytest.approx(1.0))]
    assert {"lion", "desert", "bear"}.isdisjoint(
        word for word, _ in EXACT.analogy("lion", "desert", "bear", 9)
    )


def test_shares_of_a_relation_that_holds_and_of_one_that_does_not() -> None:
    held = analogies(EXACT, [*PAIRS, ("zebra", "steppe"), PAIRS[0]])  # an unknown pair, and one twice
    assert (held.pairs, held.questions) == (3, 6)
    assert (held.top1, held.top5, held.among_answers) == (1, 1, 1)
    assert (held.chance, held.chance_among_answers) == (1 / 4, 1 / 2)
    crossed = [(a, PAIRS[(i + i % 2 + 1) % 3][1]) for i, (a, _) in enumerate(PAIRS)]
    assert analogies(EXACT, crossed).top1 < 1
    assert analogies(EXACT, [("lion", "desert")]).questions == 0


def test_shares_equal_a_count_by_hand() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(12, 4))
    words = WordMap([f"w{i}" for i in range(12)], vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    pairs = [(f"w{i}", f"w{i + 6}") for i in range(5)]
    hits = []
    for (a, b), (c, d) in permutations(pairs, 2):
        at = [int(word[1:]) for word in (a, b, c)]
        point = words.vectors[at[1]] - words.vectors[at[0]] + words.vectors[at[2]]
        cosines = {
            w: v @ point for w, v in zip(words.words, words.vectors, strict=True) if w not in (a, b, c)
        }
        hits.append(max(cosines, key=cosines.__getitem__) == d)
    found = analogies(words, pairs)
    assert found.questions == len(hits) == 20
    assert found.top1 == pytest.approx(np.mean(hits))


def test_the_map_of_a_model_holds_whole_words_with_its_rows(gpt_config) -> None:
    tokenizer = train_bpe(["the lion and the fox, the lion and the fox"] * 9, 300)
    torch.manual_seed(0)
    model = GPT(gpt_config("micro", vocab_size=tokenizer.vocab_size))
    words = word_map(model, tokenizer)
    assert {"the", "lion", "fox", "and"} <= set(words.words)
    assert all(word.isalpha() and len(tokenizer.encode(f" {word}")) == 1 for word in words.words)
    row = model.token_embedding.weight[tokenizer.encode(" lion")[0]].detach()
    assert np.allclose(words.of(["lion"])[0], (row / row.norm()).numpy())
    assert words.known(["lion", "zebra"]) == ["lion"]
