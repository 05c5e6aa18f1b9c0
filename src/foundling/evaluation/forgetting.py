"""What a model still knows of what its base was raised on: held-out text and benchmarks, before and after a tuning."""

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
class Exam:
    """What base and tuned model are asked alike: held-out ids (N,), in order, and the questions of each benchmark."""

    text: np.ndarray
    benchmarks: Mapping[str, Mapping[str, Any]]
    questions: Mapping[str, Sequence[Any]]
    seed: int


def read_exam(
    tokens: Path, folder: Path, tokenizer: Tokenizer, spared: Mapping[str, int], evaluate: Mapping[str, Any]
) -> Exam:
    """Read the first held-out ids and draw questions by the seed, as many as `spared` says (tokens, questions)."""
    seed, benchmarks = evaluate["seed"], evaluate["benchmarks"]
    questions = {
        name: read_items((record for _, record in records(folder / name, one)), one, spared["questions"], seed)
        for name, one in benchmarks.items()
    }
    return Exam(open_tokens(tokens, tokenizer).validation[0].ids[: spared["tokens"]], benchmarks, questions, seed)


def knows(model: GPT, tokenizer: Tokenizer, exam: Exam, batch_tokens: int) -> dict[str, Any]:
    """The loss on the held-out text, in nats per token, and the accuracy on each benchmark that has questions."""
    size = len(tokenizer.decode_bytes(exam.text.tolist()))
    paid = held_out_metrics(model, {"held_out": (exam.text, size)}, batch_tokens)
    measured: dict[str, Any] = {"control": False, "batch_tokens": batch_tokens, "seed": exam.seed}
    found = {
        name: score(model, tokenizer, questions, exam.benchmarks[name], **measured)["kinds"]["all"]
        for name, questions in exam.questions.items()
        if questions
    }
    return {"val/loss": paid["val/loss"], "val/perplexity": paid["val/perplexity"], "benchmarks": found}
