"""Answers are scored as the libraries and the rules define, and counted by kind."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu import corpus_chrf

from foundling.data.conversations import Example
from foundling.evaluation.answers import (
    Answer,
    TwoAnswers,
    answer_examples,
    answer_loss,
    interval,
    rouge_l,
    rouge_signature,
    score_by_kind,
    side_by_side,
    summary,
)
from foundling.fables.instructions import instructions
from foundling.generation.decode import generate
from foundling.generation.sampling import GREEDY
from foundling.metrics.accuracy import BenchmarkAccuracy
from foundling.metrics.forgetting import Forgetting
from foundling.metrics.instruct import Instruct, Interval, ModelScores
from foundling.model.gpt import GPT
from foundling.model.loss import IGNORE_INDEX, next_token_loss
from foundling.settings.training import InstructTest
from foundling.text.prompts import ASSISTANT, TEMPLATES, USER, Message, render, render_prompt
from foundling.text.tiktoken_tokenizer import GPT2_PATTERN, TiktokenTokenizer

TOKENIZER = TiktokenTokenizer({bytes([i]): i for i in range(256)}, GPT2_PATTERN)
PHI3 = TEMPLATES["phi3"]
SETTINGS = InstructTest(limit=None, max_new_tokens=6, batch_size=2, checks="exact")


def example(
    question: str, answer: str, kind: str | None = None, record: dict[str, str] | None = None
) -> Example:
    return Example((Message(USER, question), Message(ASSISTANT, answer)), kind, record or {}, "mine")


def answered(
    answer: str, expected: str, kind: str | None = None, right: bool = False, stopped: bool = True
) -> Answer:
    return Answer(
        kind=kind,
        prompt="?",
        expected=expected,
        answer=answer,
        right=right,
        exact=answer == expected,
        stopped=stopped,
    )


@pytest.fixture(scope="module")
def gpt(gpt_config: Callable[..., Any]) -> GPT:
    torch.manual_seed(0)
    model = GPT(gpt_config("micro", vocab_size=TOKENIZER.vocab_size, context=64)).eval()
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.3)
    return model


def test_each_answer_is_the_models_likeliest_and_judged_against_its_own_example(gpt: GPT) -> None:
    examples = [example("a" * n, "x") for n in (3, 1, 3, 8)]
    found = answer_examples(gpt, TOKENIZER, PHI3, examples, SETTINGS)
    for one, asked in zip(found, examples, strict=True):
        alone = generate(gpt, render_prompt(asked.prompt, PHI3, TOKENIZER), 6, GREEDY, TOKENIZER.ends)
        assert one.answer == TOKENIZER.decode(list(alone)).strip()
        assert one.prompt == asked.prompt[0].text
    right = [example(one.prompt, one.answer) for one in found]
    again = answer_examples(gpt, TOKENIZER, PHI3, right, SETTINGS)
    assert [one.right for one in again] == [True] * 4


def test_fables_answers_are_judged_by_their_rules(gpt: GPT, monkeypatch: pytest.MonkeyPatch) -> None:
    records = list(instructions(1, 40, "test"))
    examples = [example("?", r["output"], r["kind"], r) for r in records]
    said = iter([r["output"] for r in records] + ["Nonsense."] * 40)
    monkeypatch.setattr(TOKENIZER, "decode", lambda ids: next(said))
    by_rules = replace(SETTINGS, checks="fables", max_new_tokens=1, batch_size=64)
    assert all(one.right and one.exact for one in answer_examples(gpt, TOKENIZER, PHI3, examples, by_rules))
    assert not any(one.right for one in answer_examples(gpt, TOKENIZER, PHI3, examples, by_rules))


def test_answer_loss_is_the_training_loss_of_the_answers(gpt: GPT) -> None:
    examples = [example("Who?", "Ben."), example("What?", "A key, I think.")]
    nats = count = 0.0
    for one in examples:
        done = render(one.messages, PHI3, TOKENIZER)
        ids = torch.tensor([done.ids])
        targets = ids.where(torch.tensor([done.loss_mask]), IGNORE_INDEX)[:, 1:]
        with torch.no_grad():
            nats += next_token_loss(gpt(ids[:, :-1]), targets, reduction="sum").item()
        count += (targets != IGNORE_INDEX).sum().item()
    assert answer_loss(gpt, TOKENIZER, PHI3, examples, 256) == pytest.approx(nats / count, rel=1e-5)


def test_scores_are_those_of_the_libraries_by_kind() -> None:
    those = [
        answered("The fox ran home.", "The fox ran home.", "a", right=True),
        answered("A fox walked home", "The fox ran home.", "a", stopped=False),
        answered("Le renard dort.", "Le renard mange.", "b"),
    ]
    found = score_by_kind(those)
    assert list(found) == ["all", "a", "b", "mean_of_kinds"]
    assert (found["a"].n, found["a"].accuracy, found["a"].stopped, found["a"].exact) == (2, 0.5, 0.5, 0.5)
    assert found["mean_of_kinds"].accuracy == 0.25
    scorer = RougeScorer(["rougeL"])
    rouge = [scorer.score(one.expected, one.answer)["rougeL"].fmeasure for one in those]
    assert found["a"].rouge_l == pytest.approx(sum(rouge[:2]) / 2)
    assert 0 < rouge[1] < 1
    chrf = corpus_chrf([one.answer for one in those], [[one.expected for one in those]]).score
    assert found["all"].chrf == pytest.approx(chrf)
    assert found["all"].low < found["all"].accuracy < found["all"].high


@pytest.mark.parametrize("text", ["καλημέρα κόσμε", "狗看见猫。", "नमस्ते", "สวัสดี", "!!!", "🦊"])
def test_equal_answers_are_alike_in_any_script(text: str) -> None:
    assert rouge_l([answered(text, text)]) == [1.0]
    assert rouge_l([answered("xyz", text)]) == [0.0]


def test_rouge_splits_words_by_script_and_records_how() -> None:
    greek = [answered("καλημέρα κόσμε μου", "καλημέρα κόσμε")]
    assert rouge_l(greek) == [pytest.approx(0.8)]
    assert rouge_l([answered("狗看见马", "狗看见猫")]) == [pytest.approx(0.75)]
    assert rouge_signature(greek).startswith("tok:unicode|stem:no|version:")
    french = [answered("le forêt", "la forêt")]
    assert rouge_signature(french).startswith("tok:rouge-score|stem:no|version:")
    assert rouge_l(french) == [RougeScorer(["rougeL"]).score("la forêt", "le forêt")["rougeL"].fmeasure]


def test_the_bootstrap_interval_has_its_nominal_coverage() -> None:
    random = torch.Generator().manual_seed(0)
    hits = 0
    for _ in range(100):
        values = torch.rand(40, generator=random).tolist()
        found = interval(values)
        hits += found.low < 0.5 < found.high
    assert 86 <= hits <= 100
    assert interval([2.0, 2.0]) == Interval(mean=2.0, low=2.0, high=2.0)
    assert interval([1.0, 3.0, 4.0]) == interval([1.0, 3.0, 4.0])


def test_both_models_answers_stand_in_one_row() -> None:
    (row,) = side_by_side([answered("Um.", "Ben.", "a")], [answered("Ben.", "Ben.", "a", right=True)])
    assert row == TwoAnswers("a", "?", "Ben.", "Ben.", True, True, True, base="Um.", base_right=False)


def test_the_summary_has_a_row_for_each_kind_and_what_was_forgotten() -> None:
    answers = [answered("Ben.", "Ben.", "a", right=True), answered("There.", "Here.", "b")]
    accuracy = BenchmarkAccuracy(n=4, accuracy=0.5, low=0.1, high=0.9, chance=0.25)
    base = ModelScores(
        rouge_l=interval(rouge_l(answers)),
        signatures={},
        kinds=score_by_kind(answers),
        answer_loss=3.0,
        forgetting=Forgetting(val_loss=1.0, val_perplexity=2.7, benchmarks={"mine": accuracy}),
        judge=None,
    )
    tuned = replace(base, answer_loss=2.0, turns=(accuracy, replace(accuracy, accuracy=0.25)))
    table = summary(Instruct(dataset="mine", examples={}, changes={}, checks="exact", base=base, tuned=tuned))
    assert table.row_count == 4
    assert str(table.caption) == (
        "by turn 50.0%, 25.0%; answer loss 3.000 -> 2.000 nats per token; mine 50.0% -> 50.0%"
    )
