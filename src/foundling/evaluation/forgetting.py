"""How much fine-tuning forgets: held-out loss and benchmark accuracy of the base, before and after."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from foundling.data.shards import open_tokens
from foundling.data.sources import rows
from foundling.evaluation.benchmarks import Items, read_benchmark
from foundling.evaluation.perplexity import held_out_metrics
from foundling.metrics import forgetting as metrics
from foundling.model.interface import LanguageModel
from foundling.settings.commands import Evaluate
from foundling.settings.datasets import Forgetting
from foundling.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class ForgettingProbe:
    """The same held-out ids (N,) and benchmark items for the base and the fine-tuned model."""

    tokenizer: Tokenizer
    ids: np.ndarray
    benchmarks: Mapping[str, Items]
    seed: int

    @classmethod
    def read(
        cls, tokens: Path, raw: Path, tokenizer: Tokenizer, settings: Forgetting, evaluate: Evaluate
    ) -> "ForgettingProbe":
        """Take the first `settings.tokens` held-out ids and a random sample of each benchmark."""
        benchmarks = {}
        for name, benchmark in evaluate.benchmarks.items() if settings.questions != 0 else ():
            records = (row.record for row in rows(raw / name, benchmark))
            benchmarks[name] = read_benchmark(records, benchmark, settings.questions, evaluate.seed)
        held_out = open_tokens(tokens, tokenizer).validation[0].ids
        return cls(tokenizer, held_out[: settings.tokens], benchmarks, evaluate.seed)

    def measure(
        self, model: LanguageModel, batch_tokens: int, window: int | None = None
    ) -> metrics.Forgetting:
        """Loss (nats per token) and perplexity of the held-out text, and accuracy on each benchmark.

        Models whose contexts differ are compared in windows of `window` tokens, the shorter of the contexts.
        """
        size = len(self.tokenizer.decode_bytes(self.ids.tolist()))
        held_out = held_out_metrics(model, {"held_out": (self.ids, size)}, batch_tokens, window)
        accuracies = {}
        for name, benchmark in self.benchmarks.items():
            result = benchmark.score(model, self.tokenizer, batch_tokens=batch_tokens, seed=self.seed)
            accuracies[name] = result.scores.kinds["all"]
        return metrics.Forgetting(
            val_loss=held_out.val_loss, val_perplexity=held_out.val_perplexity, benchmarks=accuracies
        )
