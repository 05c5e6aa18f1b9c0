"""Let a model answer prompts whose correct answers are known, and score its answers."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
from rich.table import Table

from foundling.data.conversations import Example
from foundling.evaluation.accuracy import accuracy, by_kind
from foundling.evaluation.likelihood import Request, log_likelihoods
from foundling.fables.instruction_checks import check
from foundling.generation.decode import complete
from foundling.metrics.accuracy import AnswerScores
from foundling.metrics.instruct import Instruct, Interval
from foundling.model.interface import LanguageModel
from foundling.settings.training import InstructTest
from foundling.text.prompts import ChatTemplate, render_prompt, render_response
from foundling.text.scripts import is_latin, words
from foundling.text.tokenizer import Tokenizer

RESAMPLES = 1000  # of the bootstrap


@dataclass(frozen=True)
class Answer:
    """A model's answer to the prompt of an example."""

    kind: str | None
    prompt: str
    expected: str
    answer: str
    right: bool  # by the checks of the settings
    exact: bool  # equal to the expected answer up to white space
    stopped: bool  # ended by the token that ends responses


@dataclass(frozen=True)
class TwoAnswers(Answer):
    """The tuned model's answer to a prompt, next to the base model's."""

    base: str
    base_right: bool


def answer_examples(
    model: LanguageModel,
    tokenizer: Tokenizer,
    template: ChatTemplate,
    examples: Sequence[Example],
    settings: InstructTest,
) -> list[Answer]:
    """Let the model answer each example's prompt by greedy decoding, and check the answers."""
    prompts = [render_prompt(example.prompt, template, tokenizer) for example in examples]
    completions = complete(
        model, prompts, settings.max_new_tokens, template.ends(tokenizer), settings.batch_size
    )
    answers = []
    for example, completion in zip(examples, completions, strict=True):
        text = tokenizer.decode(completion.ids).strip()
        exact = text.split() == example.response.split()
        answers.append(
            Answer(
                kind=example.kind,
                prompt="\n".join(message.text for message in example.prompt),
                expected=example.response,
                answer=text,
                right=check(dict(example.record), text) if settings.checks == "fables" else exact,
                exact=exact,
                stopped=completion.stopped,
            )
        )
    return answers


def answer_loss(
    model: LanguageModel,
    tokenizer: Tokenizer,
    template: ChatTemplate,
    examples: Sequence[Example],
    batch_tokens: int,
) -> float:
    """Nats per token of the expected answers and the tokens that end them, given the prompts."""
    requests = []
    for example in examples:
        prompt, response = render_response(example.messages, template, tokenizer)
        requests.append(Request(tuple(prompt), tuple(response)))
    scored = log_likelihoods(model, requests, batch_tokens)
    return -sum(scored.values) / sum(len(request.continuation) for request in requests)


def score_by_kind(answers: Sequence[Answer]) -> dict[str, AnswerScores]:
    """The scores of all answers, and of each kind."""
    similarity = rouge_l(answers)

    def score(indices: list[int]) -> AnswerScores:
        chosen = [answers[i] for i in indices]
        return AnswerScores(
            **vars(accuracy([answer.right for answer in chosen])),
            exact=sum(answer.exact for answer in chosen) / len(chosen),
            stopped=sum(answer.stopped for answer in chosen) / len(chosen),
            rouge_l=sum(similarity[i] for i in indices) / len(chosen),
            chrf=chrf(chosen),
        )

    return by_kind([answer.kind for answer in answers], score)


def rouge_l(answers: Sequence[Answer]) -> list[float]:
    """ROUGE-L (Lin 2004) of each answer, 0 to 1: the F1 of the longest common subsequence of words.

    Texts are split into words as `rouge_tokenizer` decides. Equal texts without any word score 1.
    """
    from rouge_score.rouge_scorer import RougeScorer

    logging.getLogger("absl").setLevel(logging.WARNING)  # rouge-score logs its default tokenizer each time
    unicode = SimpleNamespace(tokenize=words) if rouge_tokenizer(answers) == "unicode" else None
    scorer = RougeScorer(["rougeL"], tokenizer=unicode)
    scores = [scorer.score(answer.expected, answer.answer)["rougeL"].fmeasure for answer in answers]
    return [1.0 if answer.exact else score for answer, score in zip(answers, scores, strict=True)]


def rouge_tokenizer(answers: Sequence[Answer]) -> str:
    """How ROUGE-L splits texts into words: "rouge-score", as in published results, or "unicode".

    The former drops all characters but a to z and digits, so it is used only if the expected answers are in
    Latin script.
    """
    return "rouge-score" if is_latin(answer.expected for answer in answers) else "unicode"


def rouge_signature(answers: Sequence[Answer]) -> str:
    """How ROUGE-L is computed, in the style of sacrebleu."""
    from importlib.metadata import version

    return f"tok:{rouge_tokenizer(answers)}|stem:no|version:{version('rouge-score')}"


def chrf(answers: Sequence[Answer]) -> float:
    """chrF (Popović 2015): the F2 of character n-grams over all answers, 0 to 100."""
    from sacrebleu import corpus_chrf

    expected = [answer.expected for answer in answers]
    return float(corpus_chrf([answer.answer for answer in answers], [expected]).score)


def interval(values: Sequence[float]) -> Interval:
    """The mean of values with its 95 % bootstrap interval (Efron 1979), which is empty if all are equal."""
    from scipy.stats import bootstrap

    mean = float(np.mean(values))
    if len(set(values)) < 2:
        return Interval(mean=mean, low=mean, high=mean)
    random = np.random.default_rng(0)
    result = bootstrap((np.asarray(values),), np.mean, n_resamples=RESAMPLES, method="percentile", rng=random)
    low, high = result.confidence_interval
    return Interval(mean=mean, low=float(low), high=float(high))


def side_by_side(base: Sequence[Answer], tuned: Sequence[Answer]) -> list[TwoAnswers]:
    """The answers of both models to each prompt."""
    both = zip(base, tuned, strict=True)
    return [TwoAnswers(**vars(after), base=before.answer, base_right=before.right) for before, after in both]


def summary(metrics: Instruct) -> Table:
    """A table for the terminal: the tuned model's scores by kind, next to the base model's accuracy."""
    base, tuned = metrics.base, metrics.tuned
    notes = [f"answer loss {base.answer_loss:.3f} -> {tuned.answer_loss:.3f} nats per token"]
    if tuned.turns:
        notes.insert(0, "by turn " + ", ".join(f"{turn.accuracy:.1%}" for turn in tuned.turns))
    for name, before in base.forgetting.benchmarks.items():
        notes.append(f"{name} {before.accuracy:.1%} -> {tuned.forgetting.benchmarks[name].accuracy:.1%}")
    table = Table(
        "kind", "n", "right", "95 %", "base", "exact", "ends", "ROUGE-L", "chrF", caption="; ".join(notes)
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for kind, scores in tuned.kinds.items():
        table.add_row(
            kind,
            f"{scores.n:,}",
            f"{scores.accuracy:.1%}",
            f"{scores.low:.1%} – {scores.high:.1%}",
            f"{base.kinds[kind].accuracy:.1%}",
            f"{scores.exact:.1%}",
            f"{scores.stopped:.1%}",
            f"{scores.rouge_l:.3f}",
            f"{scores.chrf:.1f}",
        )
    return table
