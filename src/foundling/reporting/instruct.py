"""The report's section on instruction tuning: which answers it shows."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from foundling.reporting.reading import Row

SHOWN = 13  # prompts with both models' answers


def choose_shown(answers: Sequence[Row], count: int = SHOWN) -> list[Row]:
    """Up to `count` answers: the first of each kind, then the second of each, and so on."""
    seen: Counter[Any] = Counter()
    order = []
    for i, answer in enumerate(answers):
        seen[answer["kind"]] += 1
        order.append((seen[answer["kind"]], i))
    return [answers[i] for _, i in sorted(order)[:count]]
