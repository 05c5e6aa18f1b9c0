"""metrics/instruct.json: the base model's and the tuned model's answers to the same held-out prompts."""

from collections.abc import Mapping

from pydantic.dataclasses import dataclass

from foundling.metrics import SCHEMA
from foundling.metrics.accuracy import Accuracy, AnswerScores
from foundling.metrics.forgetting import Forgetting


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class Interval:
    """A mean with its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class JudgeScores:
    """A judge's mean score, 0 to 100, with its 95 % bootstrap interval."""

    model: str | None
    versions: tuple[str, ...]
    n: int
    without_score: int  # replies without a score
    mean: float
    low: float
    high: float


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class ModelScores:
    """One model."""

    rouge_l: Interval
    signatures: Mapping[str, str]  # how each score is computed
    kinds: Mapping[str, AnswerScores]  # `all` first
    answer_loss: float  # nats per token of the expected answers
    forgetting: Forgetting
    judge: JudgeScores | None
    turns: tuple[Accuracy, ...] = ()  # tuned model only: each prompt as the first, second, … turn


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class Instruct:
    """Both models, and the data."""

    dataset: str
    examples: Mapping[str, int]  # by split
    changes: Mapping[str, int]  # records that were left out or changed, by reason
    checks: str
    base: ModelScores
    tuned: ModelScores
