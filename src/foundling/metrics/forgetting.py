"""How well a model still does its base's tasks, in metrics/classify.json and metrics/instruct.json."""

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
