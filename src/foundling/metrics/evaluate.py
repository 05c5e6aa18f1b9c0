"""metrics/evaluate.json: the base model on held-out text and benchmarks."""

from collections.abc import Mapping

from pydantic.dataclasses import dataclass

from foundling.metrics import SCHEMA
from foundling.metrics.accuracy import Accuracy, BenchmarkAccuracy


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class TextLoss:
    """How well a model predicts a text."""

    val_loss: float  # nats per token
    val_perplexity: float
    val_bits_per_byte: float  # comparable between tokenizers, as loss and perplexity are not
    tokens: int  # predicted


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class HeldOut(TextLoss):
    """The whole held-out text and, where it has several sources, each of them."""

    sources: Mapping[str, TextLoss] | None = None


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class FewShot(Accuracy):
    """Accuracy with worked examples in front of each question, and without them on the same questions."""

    without: float


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class BenchmarkScores:
    """A model's result on a benchmark."""

    measure: str
    truncated: int  # texts longer than the context, truncated at the beginning
    kinds: Mapping[str, BenchmarkAccuracy]  # `all` first
    few_shot: Mapping[str, FewShot] | None = None  # by kind, of the questions whose examples fit


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class EmergencePoint(Accuracy):
    """A snapshot's accuracy on one kind of question: a row of plots/emergence.csv."""

    step: int
    tokens: int
    val_loss: float
    benchmark: str
    kind: str
    chance: float


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class Snapshot:
    """A model saved during training: an entry of models/snapshots/index.json."""

    step: int
    tokens: int  # trained on
    folder: str


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class Evaluate:
    """All results of a base model."""

    held_out: HeldOut
    benchmarks: Mapping[str, BenchmarkScores]
