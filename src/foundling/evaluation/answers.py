"""How well a model answers: conversations whose answers are known in; what it says, and how much is right, out."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.table import Table

from foundling.data.conversations import Example
from foundling.evaluation.accuracy import accuracy, by_kind
from foundling.evaluation.likelihood import Request, log_likelihoods
from foundling.fables.instruction_checks import check
from foundling.generation.decode import complete
from foundling.metrics import to_plain
from foundling.metrics.accuracy import AnswerScores
from foundling.model.gpt import GPT
from foundling.text.prompts import Template, prompt
from foundling.text.scripts import is_latin, words
from foundling.text.tokenizer import Tokenizer

Answered = dict[str, Any]  # prompt, expected, answer, kind, right, exact, stopped
RESAMPLES = 1000  # of the bootstrap
DEFAULT, UNICODE = "rouge-score", "unicode"  # how ROUGE-L finds words


def exact(example: Example, answer: str) -> bool:
    """Word for word, however the words are spaced."""
    return answer.split() == example.answer.split()


def by_rules(example: Example, answer: str) -> bool:
    """By the rules of the embedded world's thirteen kinds."""
    return check(dict(example.record), answer)


CHECKS: dict[str, Callable[[Example, str], bool]] = {"exact": exact, "fables": by_rules}


def ask(
    model: GPT,
    tokenizer: Tokenizer,
    template: Template,
    examples: Sequence[Example],
    *,
    checks: str,
    max_new_tokens: int,
    batch_size: int,
) -> list[Answered]:
    """Let the model answer each example, taking the likeliest token, and judge the answer by `checks`."""
    if checks not in CHECKS:
        raise ValueError(f"found instruct.test.checks={checks!r}; allowed are {', '.join(CHECKS)}; try exact")
    prompts = [prompt(example.asked, template, tokenizer) for example in examples]
    done = complete(model, prompts, max_new_tokens, tokenizer.end_of_text, batch_size)
    answers = [tokenizer.decode(one.ids).strip() for one in done]
    return [
        {
            "kind": example.kind,
            "prompt": "\n".join(message.text for message in example.asked),
            "expected": example.answer,
            "answer": answer,
            "right": CHECKS[checks](example, answer),
            "exact": exact(example, answer),
            "stopped": one.stopped,
        }
        for example, answer, one in zip(examples, answers, done, strict=True)
    ]


def answer_loss(
    model: GPT, tokenizer: Tokenizer, template: Template, examples: Sequence[Example], batch_tokens: int
) -> float:
    """Nats per token of the known answers and their end, each given its prompt."""
    requests = [
        Request(
            tuple(prompt(example.asked, template, tokenizer)),
            (*tokenizer.encode(example.answer), tokenizer.end_of_text),
        )
        for example in examples
    ]
    scored = log_likelihoods(model, requests, batch_tokens)
    return -sum(scored.values) / sum(len(request.continuation) for request in requests)


def marks(answered: Sequence[Answered]) -> dict[str, Any]:
    """Of all answers, and of each kind: how many are right, with an interval; exact, ended, and like the known one."""
    alike = rouge_l(answered)

    def measure(chosen: list[int]) -> AnswerScores:
        those = [answered[i] for i in chosen]
        return AnswerScores(
            **vars(accuracy([one["right"] for one in those])),
            exact=sum(one["exact"] for one in those) / len(those),
            stopped=sum(one["stopped"] for one in those) / len(those),
            rouge_l=sum(alike[i] for i in chosen) / len(chosen),
            chrf=chrf(those),
        )

    scores = by_kind([one["kind"] for one in answered], measure)
    return {kind: to_plain(found) for kind, found in scores.items()}


def measure(answered: Sequence[Answered]) -> dict[str, Any]:
    """All marks, and the mean ROUGE-L with its interval and how it counts."""
    return {"rouge_l": interval(rouge_l(answered)), "signatures": signatures(answered), "kinds": marks(answered)}


def rouge_l(answered: Sequence[Answered]) -> list[float]:
    """ROUGE-L (Lin 2004) of each answer against the known one: the F1 of their longest common run of words, 0 to 1.

    Words are those of rouge_tokenizer(); of two texts without any word, equal ones score 1.
    """
    from rouge_score.rouge_scorer import RougeScorer

    logging.getLogger("absl").setLevel(logging.WARNING)  # it would tell of its default tokenizer, each time
    scorer = RougeScorer(["rougeL"], tokenizer=_Words() if rouge_tokenizer(answered) == UNICODE else None)
    found = [scorer.score(one["expected"], one["answer"])["rougeL"].fmeasure for one in answered]
    return [1.0 if one["exact"] else value for one, value in zip(answered, found, strict=True)]


def rouge_tokenizer(answered: Sequence[Answered]) -> str:
    """How ROUGE-L cuts known answers into words.

    The library's own way, by which results are published, knows the letters a to z alone: where all letters are Latin,
    it is kept.
    """
    return DEFAULT if is_latin(one["expected"] for one in answered) else UNICODE


class _Words:
    """Words of any script, as rouge-score wants a tokenizer."""

    def tokenize(self, text: str) -> list[str]:
        """The words of a text."""
        return words(text)


def signatures(answered: Sequence[Answered]) -> dict[str, str]:
    """How ROUGE-L counts, in the manner of sacrebleu."""
    from importlib.metadata import version

    return {"rouge_l": f"tok:{rouge_tokenizer(answered)}|stem:no|version:{version('rouge-score')}"}


def chrf(answered: Sequence[Answered]) -> float:
    """chrF (Popović 2015): the F2 of character n-grams over all answers, 0 to 100."""
    from sacrebleu import corpus_chrf

    return float(corpus_chrf([one["answer"] for one in answered], [[one["expected"] for one in answered]]).score)


def interval(values: Sequence[float]) -> dict[str, float]:
    """The mean of values with its 95 % interval by the bootstrap (Efron 1979); one value has no interval."""
    import numpy as np
    from scipy.stats import bootstrap

    mean = float(np.mean(values))
    if len(set(values)) < 2:
        return {"mean": mean, "low": mean, "high": mean}
    random = np.random.default_rng(0)
    found = bootstrap((np.asarray(values),), np.mean, n_resamples=RESAMPLES, method="percentile", rng=random)
    return {"mean": mean, "low": float(found.confidence_interval.low), "high": float(found.confidence_interval.high)}


def beside(base: Sequence[Answered], tuned: Sequence[Answered]) -> list[dict[str, Any]]:
    """A row for each prompt: what the base says beside what the tuned model says."""
    return [
        {name: after[name] for name in ("kind", "prompt", "expected", "answer", "right", "stopped")}
        | {"base": before["answer"], "base_right": before["right"]}
        for before, after in zip(base, tuned, strict=True)
    ]


def summary(metrics: Mapping[str, Any]) -> Table:
    """One row for each kind: right answers of the tuned model, with their interval, and of the base."""
    base, tuned = metrics["base"], metrics["tuned"]
    caption = f"as a second turn {tuned['second_turn']['accuracy']:.1%}"
    caption += f"; answer loss {base['answer_loss']:.3f} -> {tuned['answer_loss']:.3f} nats a token"
    for name, before in base["knows"]["benchmarks"].items():
        caption += f"; {name} {before['accuracy']:.1%} -> {tuned['knows']['benchmarks'][name]['accuracy']:.1%}"
    table = Table("kind", "n", "right", "95 %", "base", "exact", "ends", "ROUGE-L", "chrF", caption=caption)
    for column in table.columns[1:]:
        column.justify = "right"
    for kind, found in tuned["kinds"].items():
        shares = (f"{found[name]:.1%}" for name in ("exact", "stopped"))
        table.add_row(
            str(kind),
            f"{found['n']:,}",
            f"{found['accuracy']:.1%}",
            f"{found['low']:.1%} – {found['high']:.1%}",
            f"{base['kinds'][kind]['accuracy']:.1%}",
            *shares,
            f"{found['rouge_l']:.3f}",
            f"{found['chrf']:.1f}",
        )
    return table
