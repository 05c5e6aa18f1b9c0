"""Settings of the four trainings: what they share, and what each adds."""

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from annotated_types import Ge, Gt, Lt
from pydantic.dataclasses import dataclass

from foundling.settings.datasets import Dataset, FileFormat, Forgetting, RandomSplit, StratifiedSplit
from foundling.settings.generation import BeamSearch, Sample
from foundling.settings.models import TranslatorSettings
from foundling.settings.optim import Optimizer, Schedule
from foundling.settings.types import (
    CustomComponent,
    Natural,
    NonNegative,
    Pooling,
    Positive,
    PositiveNumber,
    Seed,
    Size,
    Template,
)
from foundling.validation import STRICT

Dropout: TypeAlias = Annotated[float, Ge(0), Lt(1)]


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Faults:
    """What to do about a step whose loss or gradient is not finite, or whose loss jumps; conf/faults."""

    action: Literal["off", "stop", "skip"]
    spike: Annotated[float, Gt(1)] | None  # times the median of the last losses
    window: Positive  # losses
    most: Natural  # batches to skip before stopping


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Lora:
    """Low-rank adaptation (Hu et al. 2021)."""

    rank: Positive
    alpha: PositiveNumber
    dropout: Dropout
    targets: tuple[str, ...]
    last: Positive | None = None  # of the blocks, the last n alone; None: all


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Training:
    """What the four trainings share."""

    module: CustomComponent  # a TrainingModule
    data: CustomComponent  # a TrainingData
    optimizer: Optimizer
    schedule: Schedule
    faults: Faults
    gradient_clip: NonNegative  # by norm; 0: off
    precision: str | int  # auto, or one of lightning.Trainer's
    compile: bool
    seed: Seed


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Pretrain(Training):
    init_from: str  # scratch, or a folder with weights
    max_steps: Natural
    batch_size: Positive
    align: bool
    accumulate: Positive
    validate_every: Positive
    snapshots: Natural
    sample: Sample


@dataclass(frozen=True, config=STRICT, kw_only=True)
class ZeroShot:
    """The base model's prediction: the label that is likeliest after the template."""

    template: str
    limit: Natural | None


Baseline = Literal["majority", "word_tfidf_logistic", "char_tfidf_svm"]


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Classify(Training, FileFormat):
    dataset: Dataset
    path: str | None = None
    text: str
    missing: Literal["refuse", "drop"]
    label: str
    label_names: Mapping[str, str] | None
    deduplicate: bool
    split: StratifiedSplit
    balance: bool
    keep: Literal["beginning", "end"]
    blocks: Positive | None  # None: all of the base's
    template: Template
    pooling: Pooling
    train: Literal["head", "last", "all", "lora"]
    last: Positive
    cache_frozen: bool | Literal["all"]
    lora: Lora
    head_rate: NonNegative
    language_loss: NonNegative
    label_smoothing: Dropout
    class_weights: Literal["balanced"] | Mapping[str, NonNegative] | None
    epochs: NonNegative
    max_steps: Positive | None
    batch_size: Positive
    bucket: Positive
    validate_every: Positive | None
    patience: Positive | None
    baselines: tuple[Baseline, ...]
    zero_shot: ZeroShot
    forgetting: Forgetting
    batch_tokens: Positive


@dataclass(frozen=True, config=STRICT, kw_only=True)
class ConversationFields:
    """The fields of a record with a conversation."""

    instruction: str | None
    input: str | None
    output: str | None
    history: str | None
    messages: str | None
    role: str
    content: str
    kind: str | None


@dataclass(frozen=True, config=STRICT, kw_only=True)
class InstructTest:
    limit: Natural | None
    max_new_tokens: Positive
    batch_size: Positive
    checks: Literal["exact", "fables"]


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Judge:
    """An OpenAI-compatible endpoint that scores answers from 0 to 100; none with `url: null`."""

    url: str | None
    model: str | None
    key: str  # the environment variable with the key
    questions: Natural
    timeout: PositiveNumber  # seconds


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Instruct(Training):
    dataset: Dataset
    path: str | None = None
    fields: ConversationFields
    answers: Mapping[str, str] | None
    split: RandomSplit
    template: Literal["alpaca", "phi3", "chatml", "model"]
    system: str | None
    context: Size | None
    loss_on: Literal["answer", "all"]
    learn_end: bool
    keep: Literal["beginning", "end"]
    method: Literal["full", "lora"]
    lora: Lora
    max_steps: Positive
    turns: Positive
    batch_size: Positive
    rehearsal: Dropout
    packing: bool
    bucket: Positive
    validate_every: Positive
    test: InstructTest
    forgetting: Forgetting
    judge: Judge


@dataclass(frozen=True, config=STRICT, kw_only=True)
class PairFields:
    """The fields of a record with source and target."""

    source: str
    target: str


@dataclass(frozen=True, config=STRICT, kw_only=True)
class TranslationTest(BeamSearch):
    limit: Natural | None  # pairs, drawn by the seed; None: all
    looks: Natural  # number of sentences whose cross-attention is saved


@dataclass(frozen=True, config=STRICT, kw_only=True)
class TrainTranslator(Training):
    dataset: Dataset
    path: str | None = None
    format: str | None = None
    source_path: str | None = None
    target_path: str | None = None
    columns: tuple[str, ...] | None = None
    language: Literal["german", "french"] | None = None
    model: TranslatorSettings
    fields: PairFields
    parallel: PairFields | None
    split: RandomSplit
    vocab_size: Positive
    max_steps: Positive
    batch_tokens: Positive
    label_smoothing: Dropout
    validate_every: Positive
    bleu_sentences: Natural
    test: TranslationTest
