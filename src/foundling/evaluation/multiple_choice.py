"""Multiple choice by likelihood: questions in, accuracy by kind out. The model never sees the options side by side.

Each choice is appended to the query and the likeliest continuation is the answer, as HellaSwag and ARC are scored.
"""

import random
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from foundling.evaluation.accuracy import accuracy, by_kind
from foundling.evaluation.likelihood import LanguageModel, Request, log_likelihoods
from foundling.metrics import to_plain
from foundling.metrics.accuracy import BenchmarkAccuracy
from foundling.text.tokenizer import Tokenizer

# Padding and batch order move a float32 sum by less than this; such a difference is a tie and must not decide.
TIE = 1e-5
LETTERS = string.ascii_uppercase


@dataclass(frozen=True)
class Question:
    """What stands in front of the choices, and which choice is right.

    `first` and `last` are the choices that the query mentions first and last, where some are mentioned; `control` is
    the query without what one needs to know for the answer.
    """

    query: str
    choices: tuple[str, ...]
    gold: int
    kind: str | None = None
    first: int | None = None
    last: int | None = None
    control: str | None = None


def read_question(record: Mapping[str, Any], query: str, choices: str, gold: str) -> Question:
    """Make a question of a record; a field that is missing or holds something else raises ValueError.

    The choices are a list of texts, or, as in ARC, texts with their labels: {text: […], label: […]} or a list of
    {text, label}. Gold is one of those labels, else the index of a choice (from 0, as a number or as text) or its
    letter.
    """
    lacking = [field for field in (query, choices, gold) if field not in record]
    if lacking:
        raise ValueError(
            f"found the fields {', '.join(map(str, record))}; {', '.join(lacking)} must be there too; name the fields "
            "in conf/benchmark under `fields`"
        )
    if not isinstance(record[query], str):
        raise ValueError(f"{query}={shown(record[query])} is no text; fix the record")
    texts, labels = _choices(record[choices], choices)
    return Question(
        record[query],
        texts,
        _gold(record[gold], gold, labels, len(texts)),
        kind=_text_or_none(record, "kind"),
        first=_index_or_none(record, "first", len(texts)),
        last=_index_or_none(record, "last", len(texts)),
        control=_text_or_none(record, "control"),
    )


def shown(value: Any) -> str:
    """A value as it is named in a message, not too long."""
    return repr(value)[:60]


def _choices(value: Any, field: str) -> tuple[tuple[str, ...], list[str] | None]:
    """The choices' texts, and their labels if they have some."""
    texts, labels = value, None
    if isinstance(value, Mapping) and set(value) == {"text", "label"}:
        texts, labels = value["text"], value["label"]
    elif isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value):
        texts, labels = ([one.get(name) for one in value] for name in ("text", "label"))
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError(
            f"{field}={shown(value)} is no list of choices; allowed are a list of texts, {{text: […], label: […]}}, "
            "and a list of {text, label}; fix the record"
        )
    if len(texts) < 2 or not all(text.strip() for text in texts):
        raise ValueError(f"{field}={shown(value)}: at least two choices, none empty, are needed; fix the record")
    if labels is None:
        return tuple(texts), None
    if not isinstance(labels, list) or not all(isinstance(label, str | int) for label in labels):
        raise ValueError(f"{field} has the labels {shown(labels)}; allowed is a list of texts; fix the record")
    names = [str(label).strip() for label in labels]
    if len(names) != len(texts) or len(set(names)) < len(names):
        raise ValueError(f"{field} has the labels {shown(labels)}; each choice needs one of its own; fix the record")
    return tuple(texts), names


def _gold(value: Any, field: str, labels: list[str] | None, count: int) -> int:
    """The index of the right choice."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    name = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    letters = LETTERS[:count]
    if labels is not None:
        names = {label: index for index, label in enumerate(labels)}
    else:
        names = {str(index): index for index in range(count)} | {letter: i for i, letter in enumerate(letters)}
        names |= {letter.lower(): i for i, letter in enumerate(letters)}
    if name not in names:
        allowed = f"the labels {', '.join(labels)}" if labels is not None else f"0 to {count - 1}, A to {letters[-1]}"
        raise ValueError(
            f"{field}={shown(value)} is not the index of one of the {count} choices; allowed are {allowed}; fix the "
            "record"
        )
    return names[name]


def _text_or_none(record: Mapping[str, Any], field: str) -> str | None:
    value = record.get(field)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{field}={shown(value)} is no text; fix the record, or leave the field out")
    return value


def _index_or_none(record: Mapping[str, Any], field: str, count: int) -> int | None:
    value = record.get(field)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < count:
        raise ValueError(f"{field}={shown(value)} is not the index of a choice; allowed are 0 to {count - 1}")
    return value


def multiple_choice(
    model: LanguageModel,
    tokenizer: Tokenizer,
    questions: Sequence[Question],
    *,
    template: str,
    normalised: bool,
    control: bool,
    batch_tokens: int,
    seed: int,
) -> dict[str, Any]:
    """Accuracy over all questions and by kind, with intervals, beside chance and the rules that need no understanding.

    `normalised` says which likelihood `accuracy` goes by: per character (as HellaSwag and ARC are reported) or raw; the
    other one is `other_accuracy`. `control` asks once more without the story, where the questions have that.
    """
    judged = judge(model, tokenizer, questions, template, batch_tokens, seed)
    blind = None
    if control and all(question.control for question in questions):
        without = [replace(question, query=question.control or "") for question in questions]
        blind = judge(model, tokenizer, without, template, batch_tokens, seed)

    has_mentions = any(question.first is not None for question in questions)

    def measure(chosen: list[int]) -> BenchmarkAccuracy:
        these = [questions[i] for i in chosen]
        return BenchmarkAccuracy(
            **vars(accuracy([judged.right(normalised)[i] for i in chosen])),
            chance=sum(1 / len(question.choices) for question in these) / len(these),
            other_accuracy=sum(judged.right(not normalised)[i] for i in chosen) / len(chosen),
            first_mentioned=sum(_rule(q, q.first) for q in these) / len(these) if has_mentions else None,
            last_mentioned=sum(_rule(q, q.last) for q in these) / len(these) if has_mentions else None,
            control=sum(blind.right(normalised)[i] for i in chosen) / len(chosen) if blind else None,
        )

    kinds = {
        kind: to_plain(found) for kind, found in by_kind([question.kind for question in questions], measure).items()
    }
    return {"measure": "likelihood per character" if normalised else "likelihood", "cut": judged.cut, "kinds": kinds}


@dataclass(frozen=True)
class Judged:
    """Which questions were answered rightly by raw likelihood, which by likelihood per character."""

    raw: list[bool]
    per_character: list[bool]
    cut: int

    def right(self, normalised: bool) -> list[bool]:
        """The outcomes by one of the two measures."""
        return self.per_character if normalised else self.raw


def judge(
    model: LanguageModel,
    tokenizer: Tokenizer,
    questions: Sequence[Question],
    template: str,
    batch_tokens: int,
    seed: int,
) -> Judged:
    """Ask the model every question; `template` puts the query into words, such as "Question: {query}\\nAnswer:"."""
    requests = [
        continuation(tokenizer, template.format(query=question.query), choice)
        for question in questions
        for choice in question.choices
    ]
    scored = log_likelihoods(model, requests, batch_tokens)
    values = iter(scored.values)
    raw = [[next(values) for _ in question.choices] for question in questions]
    # lm-eval's acc_norm: long choices are not punished for their length.
    per_character = [
        [value / len(choice) for value, choice in zip(row, question.choices, strict=True)]
        for row, question in zip(raw, questions, strict=True)
    ]
    golds = [question.gold for question in questions]

    def right(rows: list[list[float]]) -> list[bool]:
        return [pick == gold for pick, gold in zip(picks(rows, seed), golds, strict=True)]

    return Judged(right(raw), right(per_character), scored.cut)


def continuation(tokenizer: Tokenizer, query: str, choice: str) -> Request:
    """Tokens of `query`, after the end-of-text token that stands before every document, and of " " + `choice`.

    The space goes with the choice, as byte-pair encodings have it; both are encoded together and cut where the query
    ends, as in lm-eval.
    """
    start = tokenizer.encode(query.rstrip())
    whole = tokenizer.encode(f"{query.rstrip()} {choice.strip()}")
    return Request((tokenizer.end_of_text, *whole[: len(start)]), tuple(whole[len(start) :]))


def picks(scores: Sequence[Sequence[float]], seed: int) -> list[int]:
    """The best choice of each question; ties are broken at random, so that no position is favoured."""
    rng = random.Random(seed)
    return [rng.choice([i for i, value in enumerate(row) if value >= max(row) - TIE]) for row in scores]


def _rule(question: Question, mentioned: int | None) -> float:
    """What picking the mentioned choice scores; where none is mentioned the rule guesses."""
    return 1 / len(question.choices) if mentioned is None else float(mentioned == question.gold)
