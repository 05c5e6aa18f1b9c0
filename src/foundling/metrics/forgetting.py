"""What a model still does of its base's tasks, as metrics/classify.json and metrics/instruct.json have it."""

from collections.abc import Mapping

from pydantic.dataclasses import dataclass

from foundling.metrics import SCHEMA
from foundling.metrics.accuracy import BenchmarkAccuracy


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class Forgetting:
    """One model on the base's held-out text and benchmarks."""

    val_loss: float  # nats per token
    val_perplexity: float
    benchmarks: Mapping[str, BenchmarkAccuracy]
