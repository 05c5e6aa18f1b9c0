"""Minimal pairs (BLiMP; Warstadt et al. 2020): how often a model prefers the grammatical sentence of two."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from foundling.evaluation.accuracy import accuracy, by_kind
from foundling.evaluation.items import Scored, item
from foundling.evaluation.likelihood import Request, log_likelihoods
from foundling.evaluation.multiple_choice import choose, excerpt
from foundling.metrics.accuracy import BenchmarkAccuracy
from foundling.metrics.evaluate import BenchmarkScores
from foundling.model.interface import LanguageModel
from foundling.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Pair:
    """A grammatical and an ungrammatical sentence; `kind` names the point of grammar in which they differ."""

    good: str
    bad: str
    kind: str | None = None


@dataclass(frozen=True)
class MinimalPairs:
    """Pairs to score models on."""

    pairs: Sequence[Pair]

    def score(
        self,
        model: LanguageModel,
        tokenizer: Tokenizer,
        *,
        batch_tokens: int,
        seed: int,
        control: bool = False,
    ) -> Scored:
        """Accuracy over all pairs and by kind, by log-likelihood of the sentence; `control` has no effect."""
        sentences = [sentence for pair in self.pairs for sentence in (pair.good, pair.bad)]
        requests = [
            Request((tokenizer.start_of_text,), tuple(tokenizer.encode(sentence))) for sentence in sentences
        ]
        likelihoods = log_likelihoods(model, requests, batch_tokens)
        pairs = list(zip(likelihoods.values[::2], likelihoods.values[1::2], strict=True))
        right = [choice == 0 for choice in choose(pairs, seed)]

        def measure(indices: list[int]) -> BenchmarkAccuracy:
            return BenchmarkAccuracy(**vars(accuracy([right[i] for i in indices])), chance=0.5)

        kinds = by_kind([pair.kind for pair in self.pairs], measure)
        scores = BenchmarkScores(
            measure="likelihood of the sentence", truncated=likelihoods.truncated, kinds=kinds
        )
        return Scored(scores, [item(pair.kind, pair.good, pair.bad) for pair in self.pairs], right)


def read_pair(record: Mapping[str, Any]) -> Pair:
    """The pair in a record of BLiMP; an invalid record raises ValueError."""
    for field in ("sentence_good", "sentence_bad"):
        if field not in record:
            raise ValueError(
                f"{field} is missing; the record has {', '.join(map(str, record))}; fix the record"
            )
        if not isinstance(record[field], str) or not record[field].strip():
            raise ValueError(f"{field}={excerpt(record[field])}: must be a sentence; fix the record")
    kind = record.get("UID")
    if kind is not None and not isinstance(kind, str):
        raise ValueError(f"UID={excerpt(kind)}: must be a string or absent; fix the record")
    return Pair(record["sentence_good"], record["sentence_bad"], kind)
