"""Settings of evaluate, fetch and report, and of the commands that use a run's results."""

from typing import Annotated, Literal, Self

from annotated_types import Ge, Le
from pydantic import model_validator
from pydantic.dataclasses import dataclass

from foundling.settings.datasets import Benchmarks
from foundling.settings.generation import BeamSearch, Continuation, NgramSize
from foundling.settings.texts import Name
from foundling.settings.types import Natural, NonNegative, Positive, PositiveNumber, Seed
from foundling.validation import STRICT

EXPORT_PRECISIONS = {"huggingface": ("f32", "f16", "bf16"), "gguf": ("f32", "f16", "q8_0")}


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Samples(Continuation):
    """Texts that the evaluated model generates."""

    prompts: tuple[str, ...]
    count: Positive


@dataclass(frozen=True, config=STRICT, kw_only=True)
class FewShot:
    """Worked examples in front of a benchmark's questions."""

    benchmark: str
    examples: Positive
    questions: Positive


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Evaluate:
    seed: Seed
    batch_tokens: Positive
    limit: Positive | None  # questions of each benchmark
    control: bool
    snapshots: bool
    few_shot: FewShot | None
    benchmarks: Benchmarks
    samples: Samples

    def __post_init__(self) -> None:
        if self.few_shot and self.benchmarks and self.few_shot.benchmark not in self.benchmarks:
            raise ValueError(
                f"few_shot.benchmark={self.few_shot.benchmark}: must be one of {', '.join(self.benchmarks)}"
            )


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Fetch:
    dataset: Literal["all", "corpus", "benchmarks", "classify", "instruct", "train_translator"]


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Generate(Continuation):
    prompt: str
    model: str
    count: Positive
    seed: Seed


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Predict:
    text: str
    file: str
    column: str
    model: str
    top: Positive
    batch_tokens: Positive


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Chat(Continuation):
    model: str
    system: str | None
    seed: Seed


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Translate(BeamSearch):
    text: str
    file: str
    column: str
    model: str


@dataclass(frozen=True, config=STRICT, kw_only=True)
class ServeLimits:
    body_kilobytes: Positive
    body_seconds: PositiveNumber  # for a request's body to arrive
    prompt_tokens: Positive | None
    max_tokens: Positive
    choices: Positive
    texts: Positive
    rows: Positive
    queue: Natural
    prefix_tokens: Natural
    connections: Positive
    seconds: PositiveNumber  # for a response


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Serve:
    models: tuple[str, ...] | None
    host: str
    port: Annotated[int, Ge(0), Le(65535)]
    temperature: NonNegative
    no_repeat_ngram_size: NgramSize | None  # of chat answers
    key: str
    key_file: str | None
    allowed_hosts: tuple[str, ...]
    allowed_origins: tuple[str, ...]
    batch_tokens: Positive  # in one forward pass of a classifier
    translate: BeamSearch  # how the translator decodes
    limits: ServeLimits


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Report:
    runs: tuple[str, ...]
    to: str


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Compare:
    runs: tuple[str, ...]
    metrics: tuple[str, ...]
    axis: Literal["tokens", "step"]
    page: str


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Sweep:
    folder: str | None


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Export:
    model: str
    format: Literal["huggingface", "gguf"]
    precision: str
    template: Literal["auto", "none", "alpaca", "phi3", "chatml", "model"]
    to: str | None

    @model_validator(mode="after")
    def _check_precision(self) -> Self:
        allowed = EXPORT_PRECISIONS[self.format]
        if self.precision not in allowed:
            raise ValueError(
                f"precision={self.precision!r}: must be one of {', '.join(allowed)} for "
                f"export.format={self.format}"
            )
        return self


@dataclass(frozen=True, config=STRICT, kw_only=True)
class ImportModel:
    """foundling import_model."""

    source: str | None
    member: str | None
    revision: str | None
    context: Positive | None
    to: str
    experiment_name: Name | None


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Plan:
    tokens: PositiveNumber | None
    vocab_size: Positive | None
    attention: bool
    calibration_seconds: NonNegative


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Verify:
    model: str


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Rebuild:
    model: str
    run: bool


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Clean:
    delete: bool
