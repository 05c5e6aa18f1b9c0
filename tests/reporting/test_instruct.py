"""The report's section on instructions shows the metrics and both models' answers, escaped."""

from dataclasses import replace

import pytest

from foundling.metrics.accuracy import AnswerScores, BenchmarkAccuracy
from foundling.metrics.forgetting import Forgetting
from foundling.metrics.instruct import Instruct, Interval, JudgeScores, ModelScores
from foundling.reporting.material import Material
from foundling.reporting.page import page
from foundling.reporting.sections import choose_shown


def scores(n: int, share: float) -> AnswerScores:
    accuracy = {"n": n, "accuracy": share, "low": share - 0.05, "high": share + 0.05}
    return AnswerScores(**accuracy, exact=share - 0.1, stopped=0.99, rouge_l=0.87, chrf=81.5)


def model(loss: float, share: float) -> ModelScores:
    questions = BenchmarkAccuracy(n=300, accuracy=share, low=share - 0.05, high=share + 0.05, chance=0.25)
    return ModelScores(
        answer_loss=loss,
        rouge_l=Interval(mean=share, low=share - 0.01, high=share + 0.01),
        signatures={},
        kinds={"all": scores(90, share), "fact": scores(40, share), "french": scores(50, share)},
        forgetting=Forgetting(
            val_loss=1.23 + share, val_perplexity=3.0, benchmarks={"fables_questions": questions}
        ),
        judge=None,
    )


METRICS = Instruct(
    dataset="fables_instructions",
    examples={"train": 40_000, "validation": 650, "test": 90},
    changes={},
    checks="fables",
    base=model(4.321, 0.06),
    tuned=replace(model(0.123, 0.84), turns=(scores(90, 0.84), scores(90, 0.77))),
)
ANSWERS = [
    {
        "kind": k,
        "prompt": f"{k} {n}?",
        "expected": "Yes.",
        "answer": answer,
        "right": answer == "Yes.",
        "base": "<b>um</b>",
    }
    for n, (k, answer) in enumerate(
        [("fact", "Yes."), ("fact", "Yes."), ("french", "Non."), ("list", "Yes.")]
    )
]


@pytest.fixture
def tuned(material: Material) -> Material:
    return replace(material, instruct=METRICS, answers=ANSWERS)


def test_the_page_shows_kinds_forgetting_and_answers(tuned: Material) -> None:
    html = page(tuned)
    for text in (
        "40,000 conversations of fables instructions",
        "84.0 %",
        "79.0 % – 89.0 %",
        "6.0 %",
        "4.321",
        "0.123",
        "french 2?",
        "1.290",
        "2.070",
        "77.0 %",
        "expected: Yes.",
    ):
        assert text in html, text
    assert "&lt;b&gt;um&lt;/b&gt;" in html
    assert "<b>um</b>" not in html
    assert "judge" not in html


def test_the_judge_is_shown_with_its_version_where_there_was_one(tuned: Material) -> None:
    judged = JudgeScores(
        model="stub", versions=("stub-2026",), n=50, without_score=0, mean=71.5, low=65.0, high=77.0
    )
    models = {"base": replace(METRICS.base, judge=judged), "tuned": replace(METRICS.tuned, judge=judged)}
    html = page(replace(tuned, instruct=replace(METRICS, **models)))
    assert "71.5" in html
    assert "stub (stub-2026)" in html


def test_without_a_tuning_the_part_is_left_out(material: Material) -> None:
    assert "<h2>Instruction tuning</h2>" not in page(replace(material, instruct=None))


def test_shown_are_the_first_of_each_kind_then_the_second() -> None:
    assert choose_shown(ANSWERS, 10) == [ANSWERS[i] for i in (0, 2, 3, 1)]
    assert choose_shown(ANSWERS, 2) == [ANSWERS[0], ANSWERS[2]]
