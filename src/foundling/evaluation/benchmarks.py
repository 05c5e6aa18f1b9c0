"""A benchmark is a config and its records: read them once, score any number of models on them."""

import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from foundling.evaluation.likelihood import LanguageModel
from foundling.evaluation.minimal_pairs import Pair, minimal_pairs, read_pair
from foundling.evaluation.multiple_choice import Question, multiple_choice, read_question
from foundling.text.tokenizer import Tokenizer

SCORINGS = ("multiple_choice", "minimal_pairs")


def read_items(
    records: Iterable[dict[str, Any]], benchmark: Mapping[str, Any], limit: int | None, seed: int
) -> list[Question | Pair]:
    """The benchmark's questions or pairs, or `limit` of them drawn by the seed; none at all raises ValueError."""
    if benchmark["scoring"] not in SCORINGS:
        raise ValueError(
            f"found scoring {benchmark['scoring']!r} in benchmark {benchmark['name']}; allowed are"
            f" {', '.join(SCORINGS)}; mend conf/benchmark"
        )
    items = []
    for number, record in enumerate(records, 1):
        try:
            items.append(_read(record, benchmark))
        except ValueError as error:
            raise ValueError(f"record {number:,} of benchmark {benchmark['name']}: {error}") from None
    if not items:
        raise ValueError(
            f"found no records in benchmark {benchmark['name']}; at least one is needed; run `foundling fetch` again"
        )
    return items if limit is None or limit >= len(items) else random.Random(seed).sample(items, limit)


def _read(record: Mapping[str, Any], benchmark: Mapping[str, Any]) -> Question | Pair:
    if benchmark["scoring"] == "minimal_pairs":
        return read_pair(record)
    return read_question(record, **benchmark["fields"])


def score(
    model: LanguageModel,
    tokenizer: Tokenizer,
    items: Sequence[Any],
    benchmark: Mapping[str, Any],
    *,
    control: bool,
    batch_tokens: int,
    seed: int,
) -> dict[str, Any]:
    """Accuracy by kind, as multiple_choice() or minimal_pairs() give it; `control` asks without the story, too."""
    if benchmark["scoring"] == "minimal_pairs":
        return minimal_pairs(model, tokenizer, items, batch_tokens=batch_tokens, seed=seed)
    return multiple_choice(
        model,
        tokenizer,
        items,
        template=benchmark["template"],
        normalised=benchmark["normalised"],
        control=control,
        batch_tokens=batch_tokens,
        seed=seed,
    )
