"""What fine-tuning costs the base's own tasks: held-out loss and benchmark accuracy, measured before and after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from foundling.data.shards import open_tokens
from foundling.data.sources import records
from foundling.evaluation.benchmarks import read_items, score
from foundling.evaluation.perplexity import held_out_metrics
from foundling.model.gpt import GPT
from foundling.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class ForgettingProbe:
    """The same held-out ids (N,) and benchmark items for the base and the fine-tuned model."""

    tokenizer: Tokenizer
    ids: np.ndarray
    benchmarks: Mapping[str, Mapping[str, Any]]
    items: Mapping[str, Sequence[Any]]
    seed: int

    @classmethod
    def read(
        cls,
        tokens: Path,
        raw: Path,
        tokenizer: Tokenizer,
        settings: Mapping[str, int],
        evaluate: Mapping[str, Any],
    ) -> "ForgettingProbe":
        """Take the first `settings.tokens` held-out ids, and draw `settings.questions` items of each benchmark."""
        seed, benchmarks = evaluate["seed"], evaluate["benchmarks"]
        items = {}
        for name, benchmark in benchmarks.items():
            rows = (record for _, record in records(raw / name, benchmark))
            items[name] = read_items(rows, benchmark, settings["questions"], seed)
        held_out = open_tokens(tokens, tokenizer).validation[0].ids
        return cls(tokenizer, held_out[: settings["tokens"]], benchmarks, items, seed)

    def measure(self, model: GPT, batch_tokens: int) -> dict[str, Any]:
        """Loss (nats per token) and perplexity of the held-out text, and accuracy on each benchmark with items."""
        size = len(self.tokenizer.decode_bytes(self.ids.tolist()))
        held_out = held_out_metrics(model, {"held_out": (self.ids, size)}, batch_tokens)
        accuracies = {}
        for name, items in self.items.items():
            if items:
                scored = score(
                    model,
                    self.tokenizer,
                    items,
                    self.benchmarks[name],
                    control=False,
                    batch_tokens=batch_tokens,
                    seed=self.seed,
                )
                accuracies[name] = scored["kinds"]["all"]
        return {name: held_out[name] for name in ("val/loss", "val/perplexity")} | {"benchmarks": accuracies}
