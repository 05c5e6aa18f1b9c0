"""Multiple choice by likelihood, as HellaSwag and ARC are scored: the likeliest continuation is the answer.

Each choice is scored separately; the model never sees a list of choices.
"""

import random
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from foundling.evaluation.accuracy import accuracy, by_kind
from foundling.evaluation.items import Scored, item
from foundling.evaluation.likelihood import Request, log_likelihoods
from foundling.metrics.accuracy import BenchmarkAccuracy
from foundling.metrics.evaluate import BenchmarkScores
from foundling.model.interface import LanguageModel
from foundling.settings.datasets import QuestionFields
from foundling.text.tokenizer import Tokenizer

TIE = 1e-5  # nats; padding and batch order change a float32 sum by less, so smaller differences are ties


@dataclass(frozen=True)
class Question:
    """A query and its choices; `gold` is the index of the right one.

    `first` and `last` are the choices that the query mentions first and last, if any; `control` is the query
    without the part that contains the answer.
    """

    query: str
    choices: tuple[str, ...]
    gold: int
    kind: str | None = None
    first: int | None = None
    last: int | None = None
    control: str | None = None


@dataclass(frozen=True)
class Outcomes:
    """Which questions were answered correctly: by raw likelihood, and by likelihood per character."""

    raw: list[bool]
    per_character: list[bool]
    truncated: int

    def right(self, normalized: bool) -> list[bool]:
        return self.per_character if normalized else self.raw


@dataclass(frozen=True)
class MultipleChoice:
    """Questions to score models on.

    `template` turns a query into a prompt, for example "Question: {query}\\nAnswer:". `normalized` selects
    the likelihood per character, as reported for HellaSwag and ARC, instead of the raw likelihood.
    """

    questions: Sequence[Question]
    template: str
    normalized: bool

    def score(
        self,
        model: LanguageModel,
        tokenizer: Tokenizer,
        *,
        batch_tokens: int,
        seed: int,
        control: bool = False,
    ) -> Scored:
        """Accuracy over all questions and by kind; with `control`, also that on the control queries."""
        outcomes = answer(model, tokenizer, self.questions, self.template, batch_tokens, seed)
        control_outcomes = None
        if control and all(question.control for question in self.questions):
            controls = [replace(question, query=question.control or "") for question in self.questions]
            control_outcomes = answer(model, tokenizer, controls, self.template, batch_tokens, seed)
        has_mentions = any(question.first is not None for question in self.questions)
        right = outcomes.right(self.normalized)

        def measure(indices: list[int]) -> BenchmarkAccuracy:
            chosen, n = [self.questions[i] for i in indices], len(indices)
            other = outcomes.right(not self.normalized)
            without_story = control_outcomes.right(self.normalized) if control_outcomes else None
            return BenchmarkAccuracy(
                **vars(accuracy([right[i] for i in indices])),
                chance=sum(1 / len(question.choices) for question in chosen) / n,
                other_accuracy=sum(other[i] for i in indices) / n,
                first_mentioned=sum(_by_mention(q, q.first) for q in chosen) / n if has_mentions else None,
                last_mentioned=sum(_by_mention(q, q.last) for q in chosen) / n if has_mentions else None,
                control=sum(without_story[i] for i in indices) / n if without_story else None,
            )

        scores = BenchmarkScores(
            measure="likelihood per character" if self.normalized else "likelihood",
            truncated=outcomes.truncated,
            kinds=by_kind([question.kind for question in self.questions], measure),
        )
        items = [item(question.kind, question.query, *question.choices) for question in self.questions]
        return Scored(scores, items, right)


def answer(
    model: LanguageModel,
    tokenizer: Tokenizer,
    questions: Sequence[Question],
    template: str,
    batch_tokens: int,
    seed: int,
) -> Outcomes:
    """Let the model answer each question, by raw likelihood and by likelihood per character."""
    requests = [
        continuation(tokenizer, template.format(query=question.query), choice)
        for question in questions
        for choice in question.choices
    ]
    likelihoods = log_likelihoods(model, requests, batch_tokens)
    values = iter(likelihoods.values)
    raw, per_character = [], []
    for question in questions:
        raw.append([next(values) for _ in question.choices])
        # lm-eval's acc_norm, which does not favour short choices
        per_character.append(
            [value / len(text) for value, text in zip(raw[-1], question.choices, strict=True)]
        )

    def right(scores: list[list[float]]) -> list[bool]:
        return [
            choice == question.gold for choice, question in zip(choose(scores, seed), questions, strict=True)
        ]

    return Outcomes(right(raw), right(per_character), likelihoods.truncated)


def continuation(tokenizer: Tokenizer, query: str, choice: str) -> Request:
    """The request for log p(" " + choice | end-of-text token + query).

    Query and choice are encoded together and then split at the end of the query, as in lm-eval: in byte-pair
    encodings a space is part of the token that follows it.
    """
    start = tokenizer.encode(query.rstrip())
    whole = tokenizer.encode(f"{query.rstrip()} {choice.strip()}")
    return Request((tokenizer.start_of_text, *whole[: len(start)]), tuple(whole[len(start) :]))


def choose(scores: Sequence[Sequence[float]], seed: int) -> list[int]:
    """The best choice of each question; ties are broken at random, so that no position is favoured."""
    rng = random.Random(seed)
    return [rng.choice([i for i, value in enumerate(row) if value >= max(row) - TIE]) for row in scores]


def _by_mention(question: Question, mentioned: int | None) -> float:
    """The expected score of choosing the mentioned choice, or of guessing if none is mentioned."""
    return 1 / len(question.choices) if mentioned is None else float(mentioned == question.gold)


def read_question(record: Mapping[str, Any], fields: QuestionFields) -> Question:
    """The question in a record; an invalid record raises ValueError.

    The choices are a list of texts or, as in ARC, texts with labels: {text: […], label: […]} or a list of
    {text, label}. The gold answer is one of those labels; without labels, it is the index of a choice (from
    0, as a number or a string) or its letter.
    """
    missing = [field for field in (fields.query, fields.choices, fields.gold) if field not in record]
    if missing:
        raise ValueError(
            f"{', '.join(missing)} is missing; the record has {', '.join(map(str, record))}; name the fields "
            "in conf/benchmark under `fields`"
        )
    query = record[fields.query]
    if not isinstance(query, str):
        raise ValueError(f"{fields.query}={excerpt(query)}: must be a string; fix the record")
    texts, labels = _read_choices(record[fields.choices], fields.choices)
    gold = _read_gold(record[fields.gold], fields.gold, labels, len(texts))
    kind, control = (_optional(record, name, str, "a string") for name in ("kind", "control"))
    first, last = (_optional(record, name, int, "the index of a choice") for name in ("first", "last"))
    for name, index in (("first", first), ("last", last)):
        if index is not None and not 0 <= index < len(texts):
            raise ValueError(
                f"{name}={index}: must be the index of a choice, 0 to {len(texts) - 1}; fix the record"
            )
    return Question(query, texts, gold, kind, first, last, control)


def excerpt(value: Any) -> str:
    """The beginning of a value, for error messages."""
    return repr(value)[:60]


def _read_choices(value: Any, field: str) -> tuple[tuple[str, ...], list[str]]:
    """The choices' texts, and their labels if they have any."""
    texts, labels = value, None
    if isinstance(value, Mapping) and set(value) == {"text", "label"}:
        texts, labels = value["text"], value["label"]
    elif isinstance(value, list) and value and all(isinstance(choice, Mapping) for choice in value):
        texts, labels = ([choice.get(name) for choice in value] for name in ("text", "label"))
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError(
            f"{field}={excerpt(value)}: must be a list of texts, {{text: […], label: […]}} or a list of "
            "{text, label}; fix the record"
        )
    if len(texts) < 2 or not all(text.strip() for text in texts):
        raise ValueError(
            f"{field}={excerpt(value)}: must have at least two choices, none empty; fix the record"
        )
    if labels is None:
        return tuple(texts), []
    names = (
        [str(label).strip() for label in labels if isinstance(label, str | int)]
        if isinstance(labels, list)
        else []
    )
    if not len(texts) == len(names) == len(set(names)) == len(labels):
        raise ValueError(f"{field}: must have a label for each choice, not {excerpt(labels)}; fix the record")
    return tuple(texts), names


def _read_gold(value: Any, field: str, labels: list[str], count: int) -> int:
    """The index of the right choice."""
    letters = string.ascii_uppercase[:count]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    name = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    spellings = [labels] if labels else [[str(i) for i in range(count)], list(letters), list(letters.lower())]
    for names in spellings:
        if name in names:
            return names.index(name)
    allowed = (
        f"one of the labels {', '.join(labels)}" if labels else f"0 to {count - 1} or A to {letters[-1]}"
    )
    raise ValueError(f"{field}={excerpt(value)}: must be {allowed}; fix the record")


def _optional(record: Mapping[str, Any], field: str, kind: type, requirement: str) -> Any:
    value = record.get(field)
    if value is not None and type(value) is not kind:
        raise ValueError(
            f"{field}={excerpt(value)}: must be {requirement}; fix the record, or remove the field"
        )
    return value
