"""metrics/train_translator.json: a translator's training, and its scores on the test split."""

from collections.abc import Mapping
from typing import Literal

from pydantic.dataclasses import dataclass

from foundling.metrics import SCHEMA
from foundling.metrics.accuracy import Accuracy

Method = Literal["beam", "greedy", "nearest"]
TITLES: dict[Method, str] = {
    "beam": "beam search",
    "greedy": "greedy decoding",
    "nearest": "nearest neighbour in the training data",
}


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class Pairs:
    """The number of sentence pairs in each split, and of those that were translated."""

    train: int
    validation: int
    test: int
    tested: int


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class Training:
    """The translator after its last step, on the validation split: nats per token, and greedy BLEU."""

    val_loss: float
    val_perplexity: float
    val_bleu: float
    parameters: int
    steps: int
    epochs: float
    tokens: int  # source and target tokens trained on, repetitions included


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class Score:
    """A score of 0 to 100 with its 95 % interval."""

    score: float
    low: float
    high: float


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class Scores:
    """Translations compared with their references."""

    bleu: Score
    chrf: Score
    exact: Accuracy  # translations that equal their references


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class Search:
    """The settings of the beam search."""

    beam: int
    length_penalty: float
    extra: int


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class Signatures:
    """sacrebleu's descriptions of how it computed the scores."""

    bleu: str
    chrf: str


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class TrainTranslator:
    """A translator's data, training and test."""

    dataset: str
    pairs: Pairs
    changes: Mapping[str, int]  # pairs that were left out or changed, by reason
    training: Training
    test: Mapping[Method, Scores]
    search: Search
    signatures: Signatures
