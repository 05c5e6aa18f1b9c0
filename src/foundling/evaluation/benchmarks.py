"""Read a benchmark's records once, to score any number of models on them."""

import random
from collections.abc import Iterable
from typing import Any, TypeAlias

from foundling.evaluation.minimal_pairs import MinimalPairs, read_pair
from foundling.evaluation.multiple_choice import MultipleChoice, read_question
from foundling.settings.datasets import Benchmark

Items: TypeAlias = MultipleChoice | MinimalPairs


def read_benchmark(
    records: Iterable[dict[str, Any]], settings: Benchmark, limit: int | None, seed: int
) -> Items:
    """The benchmark's questions or pairs, or a random sample of `limit`; ValueError if there are none."""
    read = (
        read_pair
        if settings.scoring == "minimal_pairs"
        else lambda record: read_question(record, settings.fields)
    )
    items: list[Any] = []
    for number, record in enumerate(records, 1):
        try:
            items.append(read(record))
        except ValueError as error:
            raise ValueError(f"record {number:,} of benchmark {settings.name}: {error}") from None
    if not items:
        raise ValueError(f"benchmark {settings.name} has no records; run `foundling fetch` again")
    if limit is not None and limit < len(items):
        items = random.Random(seed).sample(items, limit)
    if settings.scoring == "minimal_pairs":
        return MinimalPairs(items)
    return MultipleChoice(items, settings.template, settings.normalized)
