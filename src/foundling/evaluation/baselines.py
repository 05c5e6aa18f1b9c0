"""What needs no language model: scikit-learn's classifiers on counts of words and characters, from the same split."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from foundling.evaluation.classification import Answers

MAJORITY, WORDS, CHARACTERS = "majority", "word_tfidf_logistic", "char_tfidf_svm"


def baselines(
    train: Sequence[str], train_ids: np.ndarray, test: Sequence[str], seed: int, names: Sequence[str]
) -> dict[str, Answers]:
    """Fit each named baseline on the training texts and their label ids (N,), and ask it about the test texts.

    majority: the most frequent label. word_tfidf_logistic: logistic regression on TF-IDF of words. char_tfidf_svm: a
    linear support vector machine on TF-IDF of 3 to 5 characters in a row, which sees endings, digits and misspellings.
    """
    makers = _makers(seed)
    unknown = [name for name in names if name not in makers]
    if unknown:
        raise ValueError(f"found the baseline {unknown[0]!r}; allowed are {', '.join(makers)}; mend classify.baselines")
    found = {}
    for name in names:
        model = makers[name].fit(list(train), train_ids)
        found[name] = Answers(
            model.predict(list(test)), _scores(model, test) if len(set(train_ids)) == 2 and name != MAJORITY else None
        )
    return found


def _makers(seed: int) -> dict[str, Any]:
    from sklearn.dummy import DummyClassifier
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    words = TfidfVectorizer()
    characters = TfidfVectorizer(analyzer="char", ngram_range=(3, 5))
    return {
        MAJORITY: DummyClassifier(strategy="most_frequent"),
        WORDS: make_pipeline(words, LogisticRegression(max_iter=1000, random_state=seed)),
        CHARACTERS: make_pipeline(characters, LinearSVC(random_state=seed)),
    }


def _scores(model: Any, texts: Sequence[str]) -> np.ndarray:
    if hasattr(model, "decision_function"):
        return np.asarray(model.decision_function(list(texts)))
    return np.asarray(model.predict_proba(list(texts)))[:, 1]
