"""The report's section on instruction tuning: metrics and answers in, the template's values out."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from foundling.metrics import to_plain
from foundling.metrics.instruct import Instruct
from foundling.reporting import kinds

SHOWN = 13  # prompts with both models' answers


def instruct_part(metrics: Instruct | None, answers: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The section's values; None without metrics."""
    if metrics is None:
        return None
    base, tuned = to_plain(metrics.base), to_plain(metrics.tuned)
    return {
        "metrics": metrics,
        "kinds": list(zip(kinds.rows(tuned["kinds"]), kinds.rows(base["kinds"]), strict=True)),
        "held_out": (base["knows"]["val/loss"], tuned["knows"]["val/loss"]),
        "benchmarks": kinds.before_and_after(base["knows"], tuned["knows"]),
        "answers": [answers[i] for i in choose_shown(answers, SHOWN)],
    }


def choose_shown(answers: Sequence[Mapping[str, Any]], count: int) -> list[int]:
    """Indices of up to `count` answers: the first of each kind, then the second of each, and so on."""
    seen: Counter[Any] = Counter()
    order = []
    for i, answer in enumerate(answers):
        seen[answer["kind"]] += 1
        order.append((seen[answer["kind"]], i))
    return [i for _, i in sorted(order)[:count]]
