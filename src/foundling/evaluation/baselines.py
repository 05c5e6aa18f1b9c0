"""What needs no language model: scikit-learn's classifiers on counts of words and characters, from the same split."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from foundling.evaluation.classification import Answers

log = logging.getLogger(__name__)
MAJORITY, WORDS, CHARACTERS = "majority", "word_tfidf_logistic", "char_tfidf_svm"
COUNTED = {WORDS: "a word of two letters or digits", CHARACTERS: "three characters"}  # what each needs


def baselines(
    train: Sequence[str], train_ids: np.ndarray, test: Sequence[str], seed: int, names: Sequence[str]
) -> tuple[dict[str, Answers], dict[str, str]]:
    """Fit each named baseline on the training texts and their label ids (N,), and ask it about the test texts.

    Returns the answers of each, and why one has none: in texts like "7" or "3 5" there may be nothing to count.

    majority: the most frequent label. word_tfidf_logistic: logistic regression on TF-IDF of words. char_tfidf_svm: a
    linear support vector machine on TF-IDF of 3 to 5 characters in a row, which sees endings, digits and misspellings.
    """
    makers = _makers(seed)
    unknown = [name for name in names if name not in makers]
    if unknown:
        raise ValueError(f"found the baseline {unknown[0]!r}; allowed are {', '.join(makers)}; mend classify.baselines")
    found, left_out = {}, {}
    for name in names:
        if name in COUNTED and not _countable(name, train):
            left_out[name] = f"no training text has {COUNTED[name]}"
            log.warning(f"classify: the baseline {name} is left out: {left_out[name]}")
            continue
        model = makers[name].fit(list(train), train_ids)
        found[name] = Answers(
            model.predict(list(test)), _scores(model, test) if len(set(train_ids)) == 2 and name != MAJORITY else None
        )
    return found, left_out


def _countable(name: str, texts: Sequence[str]) -> bool:
    """Whether a text has anything that the baseline counts; without that, it cannot be fitted."""
    analyse = _vectorizers()[name].build_analyzer()
    return any(analyse(text) for text in texts)


def _vectorizers() -> dict[str, Any]:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return {WORDS: TfidfVectorizer(), CHARACTERS: TfidfVectorizer(analyzer="char", ngram_range=(3, 5))}


def _makers(seed: int) -> dict[str, Any]:
    from sklearn.dummy import DummyClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    count = _vectorizers()
    return {
        MAJORITY: DummyClassifier(strategy="most_frequent"),
        WORDS: make_pipeline(count[WORDS], LogisticRegression(max_iter=1000, random_state=seed)),
        CHARACTERS: make_pipeline(count[CHARACTERS], LinearSVC(random_state=seed)),
    }


def _scores(model: Any, texts: Sequence[str]) -> np.ndarray:
    if hasattr(model, "decision_function"):
        return np.asarray(model.decision_function(list(texts)))
    return np.asarray(model.predict_proba(list(texts)))[:, 1]
