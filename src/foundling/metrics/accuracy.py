"""Accuracies with intervals, which several metrics files contain."""

from pydantic.dataclasses import dataclass

from foundling.metrics import SCHEMA


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class Accuracy:
    """The fraction of correct outcomes among n, with its 95 % interval."""

    n: int
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class BenchmarkAccuracy(Accuracy):
    """Accuracy on benchmark items, and the accuracies of simple baselines."""

    chance: float
    other_accuracy: float | None = None  # by the other likelihood: raw, or per character
    first_mentioned: float | None = None  # of always choosing what the query mentions first
    last_mentioned: float | None = None
    control: float | None = None  # of the same model without the story


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class AnswerScores(Accuracy):
    """Answers to instructions: how many are correct, and how similar they are to the expected answers."""

    exact: float  # fraction that equals the expected answer up to white space
    stopped: float  # fraction that ends with the end-of-text token
    rouge_l: float  # mean, 0 to 1
    chrf: float  # 0 to 100
