"""What a model still knows of what its base was raised on: held-out text and benchmarks, before and after a tuning."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from foundling.evaluation.benchmarks import score
from foundling.evaluation.perplexity import held_out_metrics
from foundling.model.gpt import GPT
from foundling.text.tokenizer import Tokenizer


def knows(
    model: GPT,
    tokenizer: Tokenizer,
    text: np.ndarray,
    questions: Mapping[str, Sequence[Any]],
    benchmarks: Mapping[str, Mapping[str, Any]],
    *,
    batch_tokens: int,
    seed: int,
) -> dict[str, Any]:
    """The loss on held-out ids (N,), in nats per token, and the accuracy on each benchmark that has questions."""
    size = len(tokenizer.decode_bytes(text.tolist()))
    paid = held_out_metrics(model, {"held_out": (text, size)}, batch_tokens)
    found = {
        name: score(model, tokenizer, questions[name], benchmark, control=False, batch_tokens=batch_tokens, seed=seed)[
            "kinds"
        ]["all"]
        for name, benchmark in benchmarks.items()
        if questions[name]
    }
    return {"val/loss": paid["val/loss"], "val/perplexity": paid["val/perplexity"], "benchmarks": found}
