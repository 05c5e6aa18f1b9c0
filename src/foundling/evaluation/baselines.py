"""Baselines without a language model: scikit-learn's classifiers on counts of words or characters."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from foundling.evaluation.classification import Predictions
from foundling.settings.training import Baseline

log = logging.getLogger(__name__)
NEEDED = {"word_tfidf_logistic": "a word of two letters or digits", "char_tfidf_svm": "three characters"}


def predict_baselines(
    train: Sequence[str], train_ids: np.ndarray, test: Sequence[str], seed: int, names: Sequence[Baseline]
) -> tuple[dict[str, Predictions], dict[str, str]]:
    """Fit each baseline on the training texts and their label ids (N,), and predict the test texts' labels.

    Returns the predictions, and the reasons why baselines have none: texts like "7" or "3 5" may have no
    features.

    majority: the most frequent label. word_tfidf_logistic: logistic regression on TF-IDF of words.
    char_tfidf_svm: a linear support vector machine on TF-IDF of character 3- to 5-grams, which capture
    endings, digits and misspellings.
    """
    models = _models(seed)
    predictions: dict[str, Predictions] = {}
    left_out: dict[str, str] = {}
    for name in names:
        model = models[name]
        if name in NEEDED and not any(map(model[0].build_analyzer(), train)):
            left_out[name] = f"no training text has {NEEDED[name]}"
            log.warning(f"classify: the baseline {name} is left out: {left_out[name]}")
            continue
        model.fit(list(train), train_ids)
        has_scores = name in NEEDED and len(set(train_ids)) == 2
        scores = np.asarray(model.decision_function(list(test))) if has_scores else None
        predictions[name] = Predictions(model.predict(list(test)), scores)
    return predictions, left_out


def _models(seed: int) -> dict[Baseline, Any]:
    from sklearn.dummy import DummyClassifier
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    characters = TfidfVectorizer(analyzer="char", ngram_range=(3, 5))
    return {
        "majority": DummyClassifier(strategy="most_frequent"),
        "word_tfidf_logistic": make_pipeline(
            TfidfVectorizer(), LogisticRegression(max_iter=1000, random_state=seed)
        ),
        "char_tfidf_svm": make_pipeline(characters, LinearSVC(random_state=seed)),
    }
