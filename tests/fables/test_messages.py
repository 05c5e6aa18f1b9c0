"""Messages are equal on all platforms, disjoint by split, and not separable by word pairs."""

import hashlib
from collections import Counter
from itertools import islice

import pytest

from foundling.fables.messages import SCENES, messages
from foundling.fables.phrasing import SPLITS


def digest(records):
    return hashlib.sha256("\n".join(f"{r['label']}\t{r['text']}" for r in records).encode()).hexdigest()[:16]


def test_equal_seeds_give_equal_bytes_and_other_seeds_do_not():
    assert digest(messages(1, 300, "train")) == "4fc97fa1f10b7423"
    assert digest(messages(2, 300, "train")) != digest(messages(1, 300, "train"))


def test_a_shorter_run_is_the_beginning_of_a_longer_one():
    assert list(messages(3, 50, "test")) == list(islice(messages(3, 500, "test"), 50))


def test_no_text_is_in_two_splits():
    texts = {
        split: {r["text"] for r in messages(4, 3000, split)} for split in ("train", "validation", "test")
    }
    assert not texts["train"] & texts["test"]
    assert not texts["train"] & texts["validation"]
    assert not texts["validation"] & texts["test"]


@pytest.mark.parametrize(
    ("phrase", "split"), [("lunch account is empty", "test"), ("last call", "validation")]
)
def test_some_phrasings_wait_for_validation_and_others_for_the_test(phrase, split):
    told = {one for one in SPLITS if any(phrase in r["text"].lower() for r in messages(5, 3000, one))}
    assert told == {split}


def test_no_phrasing_is_in_two_lists():
    patterns = [pattern for scenes in SCENES.values() for patterns in scenes.values() for pattern in patterns]
    assert len(patterns) == len(set(patterns))


def test_classes_are_balanced_and_records_rarely_repeat():
    records = list(messages(6, 4000, "train"))
    labels = Counter(r["label"] for r in records)
    assert set(labels) == {"spam", "ham"}
    assert abs(labels["spam"] - 2000) < 150
    assert len({r["text"] for r in records}) > 0.98 * len(records)
    assert max(len(r["text"]) for r in records) < 250


def test_telling_words_stand_in_both_classes():
    words = {"spam": Counter(), "ham": Counter()}
    for r in messages(7, 4000, "train"):
        words[r["label"]].update(r["text"].lower().split())
    told = "won parcel free fee code card click call account loan pay password link prize mailbox urgent: win"
    for word in told.split():
        few, many = sorted((words["spam"][word], words["ham"][word]))
        assert few > many / 5, word


def test_texts_hold_no_unfilled_slot():
    for r in messages(8, 3000, "test"):
        assert not set(r["text"]) & set("{}[]()|"), r["text"]
        assert "  " not in r["text"]


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match="choose one of train"):
        next(messages(1, 1, "dev"))


@pytest.mark.parametrize("tokens", [r"\w+", r"\w+|[^\w\s]"])
def test_word_pairs_do_not_settle_it(tokens):
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import f1_score
    from sklearn.naive_bayes import MultinomialNB

    train, test = list(messages(1, 2000, "train")), list(messages(1, 1000, "test"))
    vectors = TfidfVectorizer(ngram_range=(1, 2), token_pattern=tokens)
    seen = vectors.fit_transform([r["text"] for r in train])
    for classifier in (LogisticRegression(C=10, max_iter=1000), MultinomialNB()):
        classifier.fit(seen, [r["label"] for r in train])
        guesses = classifier.predict(vectors.transform([r["text"] for r in test]))
        assert 0.80 < f1_score([r["label"] for r in test], guesses, pos_label="spam") < 0.96
