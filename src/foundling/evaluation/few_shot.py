"""Few-shot prompts (Brown et al. 2020): worked examples in front of a question, against none.

The examples are other questions of the same kind with their right answers. None of those answers is a choice
of the question, so copying from the examples does not help. Questions for which the examples do not fit into
the model's context are left out of both measurements.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from foundling.evaluation.accuracy import accuracy, by_kind
from foundling.evaluation.multiple_choice import MultipleChoice, Question, answer
from foundling.metrics.evaluate import FewShot
from foundling.model.interface import LanguageModel
from foundling.text.tokenizer import Tokenizer

PROMPT = "{query}"  # the template is already applied
END = " "  # between examples: the stories of the default corpus have no line breaks


@dataclass(frozen=True)
class Example:
    """A question with its answer, as text, and the number of its tokens."""

    question: Question
    text: str
    tokens: int


def few_shot(
    benchmark: MultipleChoice,
    model: LanguageModel,
    tokenizer: Tokenizer,
    *,
    examples: int,
    count: int,
    batch_tokens: int,
    seed: int,
) -> dict[str, FewShot]:
    """By kind: accuracy with `examples` worked examples, and without; empty if they fit nowhere.

    Of at most `count` questions, drawn by the seed; any question of the benchmark may be an example.
    """
    rng, context = random.Random(seed), model.config.context
    questions = rng.sample(benchmark.questions, min(count, len(benchmark.questions)))
    pools: dict[str | None, list[Example]] = {}
    for question in benchmark.questions:
        pools.setdefault(question.kind, []).append(_example(question, benchmark.template, tokenizer))
    asked, prompts = [], []
    for question in questions:
        prompt = benchmark.template.format(query=question.query)
        longest = max(len(tokenizer.encode(f"{prompt} {choice}")) for choice in question.choices)
        drawn = _draw(rng, pools[question.kind], question, examples, context - longest)
        if len(drawn) == examples:
            asked.append(question)
            text = END.join([*(example.text for example in drawn), prompt])
            prompts.append(replace(question, query=text))
    if not asked:
        return {}
    with_examples = answer(model, tokenizer, prompts, PROMPT, batch_tokens, seed)
    without_any = answer(model, tokenizer, asked, benchmark.template, batch_tokens, seed)
    shown, plain = (outcomes.right(benchmark.normalized) for outcomes in (with_examples, without_any))

    def measure(indices: list[int]) -> FewShot:
        without = sum(plain[i] for i in indices) / len(indices)
        return FewShot(**vars(accuracy([shown[i] for i in indices])), without=without)

    return by_kind([question.kind for question in asked], measure)


def _example(question: Question, template: str, tokenizer: Tokenizer) -> Example:
    text = f"{template.format(query=question.query).rstrip()} {question.choices[question.gold].strip()}"
    text += "." if text[-1].isalnum() else ""
    return Example(question, text, len(tokenizer.encode(text)) + 1)  # with what separates it from the next


def _draw(
    rng: random.Random, pool: Sequence[Example], question: Question, count: int, room: int
) -> list[Example]:
    """At most `count` examples that fit together into this many tokens, each short enough for the others."""
    usable = [
        one
        for one in pool
        if one.question is not question and one.question.choices[one.question.gold] not in question.choices
    ]
    shortest = sorted(one.tokens for one in usable)
    drawn: list[Example] = []
    for left in reversed(range(count)):
        limit = room - sum(shortest[:left])
        fitting = [one for one in usable if one.tokens <= limit and one not in drawn]
        if not fitting:
            break
        drawn.append(rng.choice(fitting))
        room -= drawn[-1].tokens
    return drawn
