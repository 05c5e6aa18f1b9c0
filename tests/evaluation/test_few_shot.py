"""Few-shot prompts show other questions with their answers, as far as they fit, and give nothing away."""

from typing import Any

import pytest
from torch import nn

from foundling.evaluation import few_shot as module
from foundling.evaluation.few_shot import few_shot
from foundling.evaluation.multiple_choice import MultipleChoice, Outcomes, Question

PLACES = ("garden", "forest", "river", "cave", "attic", "meadow", "harbour", "mill")
SETTINGS: dict[str, Any] = {"count": 100, "batch_tokens": 2048, "seed": 7}


def asked(kinds: tuple[str, ...] = ("home", "den")) -> MultipleChoice:
    """Questions of each kind, whose choices are two of the places."""
    questions = [
        Question(f"{kind} {place}", (place, other), 0, kind)
        for kind in kinds
        for place, other in zip(PLACES, PLACES[1:] + PLACES[:1], strict=True)
    ]
    return MultipleChoice(questions, "Q: {query} A:", normalized=False)


@pytest.fixture
def prompts(monkeypatch: pytest.MonkeyPatch) -> list[Question]:
    """The questions with their examples; every one counts as answered, but without examples none."""
    seen: list[Question] = []

    def record(model: Any, tokenizer: Any, questions: Any, template: str, *rest: Any) -> Outcomes:
        if template == module.PROMPT:
            seen.extend(questions)
        right = [template == module.PROMPT] * len(questions)
        return Outcomes(right, right, 0)

    monkeypatch.setattr(module, "answer", record)
    return seen


def test_the_examples_are_other_questions_of_the_kind_with_other_answers(
    prompts: list[Question], uniform: nn.Module, words: Any
) -> None:
    scores = few_shot(asked(), uniform, words, examples=2, **SETTINGS)
    assert len(prompts) == 16
    for prompt in prompts:
        first, second, last = (part.split() for part in prompt.query.split("Q:")[1:])
        assert last[-1] == "A:"
        assert {first[0], second[0], last[0]} == {prompt.kind}
        assert first[1] != second[1]
        for _, place, _, shown in (first, second):
            assert shown == f"{place}."
            assert place not in prompt.choices
    assert (scores["all"].accuracy, scores["all"].without, scores["all"].n) == (1, 0, 16)
    assert set(scores) == {"all", "home", "den", "mean_of_kinds"}


def test_questions_whose_examples_do_not_fit_are_left_out(
    prompts: list[Question], uniform: nn.Module, words: Any
) -> None:
    most = uniform.config.context
    assert few_shot(asked(), uniform, words, examples=most, **SETTINGS) == {}
    assert not prompts


def test_a_model_that_guesses_is_at_chance_with_and_without(uniform: nn.Module, words: Any) -> None:
    many = MultipleChoice([*asked().questions] * 30, "{query}", normalized=False)
    scores = few_shot(many, uniform, words, examples=2, count=400, batch_tokens=4096, seed=7)["all"]
    assert scores.n == 400
    assert scores.accuracy == pytest.approx(0.5, abs=0.1)
    assert scores.without == pytest.approx(0.5, abs=0.1)
