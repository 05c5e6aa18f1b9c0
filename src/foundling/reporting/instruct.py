"""The report's part on instructions: metrics and answers in, what the template shows out."""

from collections.abc import Mapping, Sequence
from typing import Any

SHOWN = 13  # prompts with both answers


def instruct_part(metrics: Mapping[str, Any], answers: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """A row for each kind with the base beside the tuned model, what was forgotten, and a choice of answers."""
    if not metrics:
        return None
    base, tuned = metrics["base"], metrics["tuned"]
    return {
        "dataset": metrics["dataset"],
        "examples": metrics["examples"],
        "by_rules": metrics["checks"] != "exact",
        "kinds": [{"kind": kind, "base": base["kinds"][kind], **found} for kind, found in tuned["kinds"].items()],
        "second_turn": tuned["second_turn"],
        "loss": (base["answer_loss"], tuned["answer_loss"]),
        "rouge_l": (base["rouge_l"], tuned["rouge_l"]),
        "judge": tuned["judge"] and (base["judge"], tuned["judge"]),
        "held_out": (base["knows"]["val/loss"], tuned["knows"]["val/loss"]),
        "benchmarks": [
            {"name": name, "before": before, "after": tuned["knows"]["benchmarks"][name]}
            for name, before in base["knows"]["benchmarks"].items()
        ],
        "answers": [answers[i] for i in shown(answers, SHOWN)],
    }


def shown(answers: Sequence[Mapping[str, Any]], count: int) -> list[int]:
    """Which answers to show, unselected: the first of each kind, then the second of each, up to `count`."""
    turns: dict[Any, int] = {}
    order = []
    for i, one in enumerate(answers):
        turns[one["kind"]] = turns.get(one["kind"], 0) + 1
        order.append((turns[one["kind"]], i))
    return [i for _, i in sorted(order)[:count]]
