"""The report's section on instruction tuning: metrics and answers in, the template's values out."""

from collections.abc import Mapping, Sequence
from typing import Any

from foundling.reporting import kinds

SHOWN = 13  # prompts with both models' answers


def instruct_part(metrics: Mapping[str, Any], answers: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """A row for each kind with both models, the loss on the base model's own tasks, and some answers."""
    if not metrics:
        return None
    base, tuned = metrics["base"], metrics["tuned"]
    return {
        "dataset": metrics["dataset"],
        "examples": metrics["examples"],
        "by_rules": metrics["checks"] != "exact",
        "tested": tuned["kinds"][kinds.ALL]["n"],
        "kinds": kinds.rows({kind: {"base": base["kinds"][kind], **found} for kind, found in tuned["kinds"].items()}),
        "second_turn": tuned["second_turn"],
        "loss": (base["answer_loss"], tuned["answer_loss"]),
        "rouge_l": (base["rouge_l"], tuned["rouge_l"]),
        "judge": tuned["judge"] and (base["judge"], tuned["judge"]),
        "held_out": (base["knows"]["val/loss"], tuned["knows"]["val/loss"]),
        "benchmarks": kinds.before_and_after(base["knows"], tuned["knows"]),
        "answers": [answers[i] for i in shown(answers, SHOWN)],
    }


def shown(answers: Sequence[Mapping[str, Any]], count: int) -> list[int]:
    """Indices of the answers to show: the first of each kind, then the second of each, up to `count`."""
    turns: dict[Any, int] = {}
    order = []
    for i, one in enumerate(answers):
        turns[one["kind"]] = turns.get(one["kind"], 0) + 1
        order.append((turns[one["kind"]], i))
    return [i for _, i in sorted(order)[:count]]
