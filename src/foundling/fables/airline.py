"""An airline's service desk, an example of a custom domain: `airline(seed, count, split)`.

Each record is {"instruction", "input", "output", "kind"}: a passenger's question, the booking as the
airline's computer shows it, and the desk's answer. The booking contains everything that an answer needs;
questions about anything else are declined. The booking decides the split; in validation and test a third of
the questions have phrasings that do not occur in training.
"""

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from foundling.fables.english import capitalized
from foundling.fables.phrasing import check_split, choose_phrasing, draw_in_split, say
from foundling.fables.tables import document, pattern_groups, patterns

BOOKING = "Flight {number} to {city}, {day} {time}, gate {gate}, seat {seat}, {fare} fare, {status}."


class Topic(NamedTuple):
    """The phrasings of a question in training and, others, in validation and test, and its answers."""

    train: tuple[str, ...]
    unseen: tuple[str, ...]
    answer: str


_TABLE = document("airline")
CITIES: list[str] = _TABLE["cities"]
DAYS: list[str] = _TABLE["days"]
FARES: dict[str, dict[str, str]] = _TABLE["fares"]  # fare -> its bags, and answers about changes and refunds
SLOTS = pattern_groups(_TABLE["slots"])
TOPICS = {
    kind: Topic(patterns(node["train"]), patterns(node["unseen"]), node["answer"])
    for kind, node in _TABLE["topics"].items()
}


def airline(seed: int, count: int, split: str) -> Iterator[dict[str, str]]:
    """Yield `count` questions, each with a booking and an answer."""
    check_split(split)
    rng = Random(f"airline {seed} {split}")
    for _ in range(count):
        booking = draw_in_split(
            split, lambda: _booking(rng), lambda one: ("airline", one["number"], one["city"])
        )
        kind = rng.choice(list(TOPICS))
        topic = TOPICS[kind]
        question = say(choose_phrasing(rng, split, topic.train, topic.unseen), rng, SLOTS)
        answer = topic.answer.format_map(booking)
        yield {
            "instruction": capitalized(question),
            "input": BOOKING.format_map(booking),
            # {change}, {refund} and {punctual} contain {flight} themselves
            "output": answer.format_map(booking),
            "kind": kind,
        }


def _booking(rng: Random) -> dict[str, str]:
    fare, late = rng.choice(list(FARES)), rng.choice((0, 0, 20, 40, 60))
    status, punctual = "on time", "Yes, flight {number} is on time."
    if late:
        status, punctual = f"{late} minutes late", f"Flight {{number}} is {late} minutes late."
    return {
        "number": f"F{rng.randrange(100, 1000)}",
        "city": rng.choice(CITIES),
        "day": rng.choice(DAYS),
        "time": f"{rng.randrange(6, 22)}:{rng.randrange(0, 60, 5):02}",
        "gate": f"{rng.choice('ABCD')}{rng.randrange(1, 30)}",
        "seat": f"{rng.randrange(1, 31)}{rng.choice('ABCDEF')}",
        "fare": fare,
        **FARES[fare],
        "status": status,
        "punctual": punctual,
    }
