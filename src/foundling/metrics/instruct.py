"""metrics/instruct.json: the answers of the base model and of the tuned model to the same held-out prompts."""

from collections.abc import Mapping

from pydantic.dataclasses import dataclass

from foundling.metrics import SCHEMA
from foundling.metrics.accuracy import AnswerScores
from foundling.metrics.forgetting import Forgetting


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class Interval:
    """A mean with its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class JudgeScores:
    """The scores of a judge, 0 to 100, with their 95 % bootstrap interval."""

    model: str | None
    versions: tuple[str, ...]
    n: int
    without_mark: int  # replies that hold no score
    mean: float
    low: float
    high: float


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class ModelScores:
    """One model."""

    rouge_l: Interval
    signatures: Mapping[str, str]  # how a score is computed
    kinds: Mapping[str, AnswerScores]  # `all` first
    answer_loss: float  # nats per token of the expected answers
    knows: Forgetting
    judge: JudgeScores | None
    second_turn: AnswerScores | None = None  # with each prompt as the second turn of a conversation: tuned model only


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class Instruct:
    """Both models, and the data."""

    dataset: str
    examples: Mapping[str, int]  # by split
    changes: Mapping[str, int]  # what of the data was left out or changed, by reason
    checks: str
    base: ModelScores
    tuned: ModelScores
