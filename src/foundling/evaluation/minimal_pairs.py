"""Minimal pairs: a sound and an unsound sentence in, how often the sound one is likelier out.

BLiMP (Warstadt et al. 2020) asks it of 67 points of English grammar.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from foundling.evaluation.accuracy import accuracy, by_kind
from foundling.evaluation.likelihood import LanguageModel, Request, log_likelihoods
from foundling.evaluation.multiple_choice import picks, shown
from foundling.metrics import to_plain
from foundling.metrics.accuracy import BenchmarkAccuracy
from foundling.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Pair:
    """Two sentences that differ in one point of grammar; `kind` names the point."""

    good: str
    bad: str
    kind: str | None = None


def read_pair(record: Mapping[str, Any]) -> Pair:
    """Make a pair of a BLiMP record; one that lacks a sentence raises ValueError."""
    for field in ("sentence_good", "sentence_bad"):
        if field not in record:
            raise ValueError(
                f"found the fields {', '.join(map(str, record))}; sentence_good and sentence_bad must be there; fix "
                "the record"
            )
        if not isinstance(record[field], str) or not record[field].strip():
            raise ValueError(f"{field}={shown(record[field])} is no sentence; fix the record")
    kind = record.get("UID")
    if kind is not None and not isinstance(kind, str):
        raise ValueError(f"UID={shown(kind)} is no text; fix the record, or leave the field out")
    return Pair(record["sentence_good"], record["sentence_bad"], kind)


def minimal_pairs(
    model: LanguageModel, tokenizer: Tokenizer, pairs: Sequence[Pair], *, batch_tokens: int, seed: int
) -> dict[str, Any]:
    """Accuracy over all pairs and by kind, with intervals, by the log-probability of the whole sentence."""
    sentences = [sentence for pair in pairs for sentence in (pair.good, pair.bad)]
    requests = [Request((tokenizer.end_of_text,), tuple(tokenizer.encode(sentence))) for sentence in sentences]
    scored = log_likelihoods(model, requests, batch_tokens)
    scores = list(zip(scored.values[::2], scored.values[1::2], strict=True))
    right = [pick == 0 for pick in picks(scores, seed)]

    def measure(chosen: list[int]) -> BenchmarkAccuracy:
        return BenchmarkAccuracy(**vars(accuracy([right[i] for i in chosen])), chance=0.5)

    kinds = {kind: to_plain(found) for kind, found in by_kind([pair.kind for pair in pairs], measure).items()}
    return {
        "measure": "likelihood of the sentence",
        "cut": scored.cut,
        "kinds": {kind: to_plain(found) for kind, found in kinds.items()},
    }
