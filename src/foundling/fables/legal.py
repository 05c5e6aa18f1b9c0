"""A legal assistant, an example of a custom domain: `legal(seed, count, split)`.

Each record is {"instruction", "input", "output", "kind"}: a question, a case with two numbered rules and the
facts, and an answer that cites the rule. One rule applies to the facts, the other is about something else;
their limits vary from case to case, so the answer has to be read from the prompt. Questions that the rules
do not cover are declined. The case decides the split; in validation and test a third of the questions have
phrasings that do not occur in training.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from foundling.fables.english import capitalized
from foundling.fables.phrasing import check_split, choose_phrasing, draw_in_split, say
from foundling.fables.tables import document, pattern_groups, patterns

NUMBERS, LIMITS = range(10, 100), range(2, 10)  # of rules; in their unit: months, days, percent, …
ABOUT_THE_RULE = ("citation", "rule", "else")  # kinds of questions besides those that apply it


@dataclass(frozen=True)
class Question:
    """The phrasings of a question in training and, others, in validation and test."""

    train: tuple[str, ...]
    unseen: tuple[str, ...]


@dataclass(frozen=True)
class Topic:
    """What a rule is about: the rule, the fact that it is applied to, the question, and both verdicts."""

    rule: str
    fact: str
    most: bool  # lawful: a value of at most the limit; otherwise of at least the limit
    lawful: str
    unlawful: str
    question: Question


def _question(node: dict[str, str]) -> Question:
    return Question(patterns(node["train"]), patterns(node["unseen"]))


_TABLE = document("legal")
NAMES: list[str] = _TABLE["names"]
SLOTS = pattern_groups(_TABLE["slots"])
TOPICS = {
    name: Topic(node["rule"], node["fact"], node["most"], node["lawful"], node["unlawful"], _question(node))
    for name, node in _TABLE["topics"].items()
}
QUESTIONS = {kind: _question(_TABLE[kind]) for kind in ABOUT_THE_RULE}
ANSWERS: dict[str, str] = {kind: _TABLE[kind]["answer"] for kind in ABOUT_THE_RULE}


@dataclass(frozen=True)
class Case:
    """A rule, another one that does not apply, and the facts."""

    topic: str
    number: int
    limit: int
    value: int
    name: str
    other: tuple[str, int, int]  # its topic, number and limit
    is_first: bool  # whether the rule that applies comes first

    @property
    def rule(self) -> str:
        """The text of the rule that applies."""
        return TOPICS[self.topic].rule.format(limit=self.limit)

    @property
    def is_lawful(self) -> bool:
        """Whether the facts are within the rule's limit."""
        return self.value <= self.limit if TOPICS[self.topic].most else self.value >= self.limit

    def text(self) -> str:
        """Both rules and the facts, as the prompt shows them."""
        other, number, limit = self.other
        rules = [
            f"Rule {self.number}: {self.rule}.",
            f"Rule {number}: {TOPICS[other].rule.format(limit=limit)}.",
        ]
        fact = TOPICS[self.topic].fact.format(name=self.name, value=self.value)
        return " ".join([*(rules if self.is_first else reversed(rules)), f"Case: {fact}."])

    def fill(self, pattern: str) -> str:
        """A pattern with the case's values."""
        return pattern.format(
            number=self.number, limit=self.limit, value=self.value, name=self.name, rule=self.rule
        )


def legal(seed: int, count: int, split: str) -> Iterator[dict[str, str]]:
    """Yield `count` questions, each with a case and an answer."""
    check_split(split)
    rng = Random(f"legal {seed} {split}")
    for _ in range(count):
        case = draw_in_split(
            split, lambda: _case(rng), lambda one: ("legal", one.topic, str(one.number), one.name)
        )
        kind = rng.choice((*TOPICS, *ABOUT_THE_RULE))
        if kind in TOPICS:  # the case decides which topic's question is asked
            kind, topic = case.topic, TOPICS[case.topic]
            question, answer = topic.question, topic.lawful if case.is_lawful else topic.unlawful
        else:
            question, answer = QUESTIONS[kind], ANSWERS[kind]
        phrasing = choose_phrasing(rng, split, question.train, question.unseen)
        yield {
            "instruction": capitalized(say(phrasing, rng, SLOTS, {"name": case.name})),
            "input": case.text(),
            "output": case.fill(answer),
            "kind": kind,
        }


def _case(rng: Random) -> Case:
    topic, other = rng.sample(list(TOPICS), 2)
    number, other_number = rng.sample(NUMBERS, 2)
    limit, other_limit = rng.choice(LIMITS), rng.choice(LIMITS)
    value = rng.choice(LIMITS)
    return Case(
        topic, number, limit, value, rng.choice(NAMES), (other, other_number, other_limit), rng.random() < 0.5
    )
