"""Batching, shared rows and padding give the plain sum of conditional log-probabilities."""

import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from foundling.evaluation import likelihood
from foundling.evaluation.likelihood import Request, log_likelihoods
from foundling.model.gpt import GPT


def plainly(model: nn.Module, request: Request) -> float:
    """Sum of log p(token | all before it), one forward pass a token, nothing shared."""
    total, before = 0.0, list(request.context)
    for token in request.continuation:
        logits = model(torch.tensor([before[-model.config.context :]]))[0, -1]
        total += torch.log_softmax(logits.double(), -1)[token].item()
        before.append(token)
    return total


def requests(seed: int, count: int = 60, longest: int = 6) -> list[Request]:
    rng = random.Random(seed)

    def some() -> tuple[int, ...]:
        # few ids, so that prefixes are shared
        return tuple(rng.randrange(4) for _ in range(rng.randint(1, longest)))

    return [Request(some(), some()) for _ in range(count)]


@pytest.mark.parametrize("batch_tokens", [1, 17, 4096])
def test_equals_the_sum_of_conditionals(model: nn.Module, batch_tokens: int) -> None:
    asked = requests(seed=1)
    found = log_likelihoods(model, asked, batch_tokens)
    assert found.values == pytest.approx([plainly(model, request) for request in asked], abs=1e-4)
    assert found.truncated == 0


def test_a_model_with_a_separate_head_scores_the_same(model: nn.Module, apart: nn.Module) -> None:
    asked = requests(seed=2)
    assert log_likelihoods(apart, asked, 64).values == pytest.approx(
        log_likelihoods(model, asked, 64).values, abs=1e-5
    )


def test_a_large_vocabulary_goes_through_the_head_in_parts(
    apart: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = requests(seed=3)
    whole = log_likelihoods(apart, asked, 4096).values
    monkeypatch.setattr(likelihood, "LOGITS_AT_ONCE", 3 * apart.config.vocab_size)
    assert log_likelihoods(apart, asked, 4096).values == pytest.approx(whole, abs=1e-5)


def test_choices_of_one_token_share_one_row(apart: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    fed: list[Tensor] = []
    hidden = apart.hidden
    monkeypatch.setattr(apart, "hidden", lambda ids, *_, **__: fed.append(ids) or hidden(ids))
    asked = [Request((1, 2, 3), (choice,)) for choice in (4, 5, 6, 7)] + [Request((1, 2, 3), (4, 5))]
    found = log_likelihoods(apart, asked, 4096)
    assert [tuple(ids.shape) for ids in fed] == [(1, 4)]
    assert found.values == pytest.approx([plainly(apart, request) for request in asked], abs=1e-5)


def test_padding_never_matters(model: nn.Module) -> None:
    asked = requests(seed=4, longest=6)
    # one row a batch: no padding
    alone = [log_likelihoods(model, [request], 1).values[0] for request in asked]
    assert log_likelihoods(model, asked, 4096).values == pytest.approx(alone, abs=1e-5)


def test_a_long_context_loses_its_beginning_and_is_counted(model: nn.Module) -> None:
    asked = [Request(tuple(range(1, 31)), (7, 8)), Request((1, 2), (3,))]
    kept = Request(tuple(range(31 - 11, 31)), (7, 8))
    found = log_likelihoods(model, asked, 4096)
    assert found.values[0] == pytest.approx(plainly(model, kept), abs=1e-4)
    assert found.truncated == 1


def test_a_continuation_longer_than_the_context_counts_each_token_once(uniform: nn.Module) -> None:
    uniform.config.context = 8
    found = log_likelihoods(uniform, [Request((1, 2, 3), tuple(range(1, 40)))], 4096)
    assert found.values[0] == pytest.approx(-39 * torch.log(torch.tensor(128.0)).item(), rel=1e-6)
    assert found.truncated == 1


@pytest.mark.parametrize(("context", "continuation"), [((), (1,)), ((1,), ())])
def test_an_empty_side_is_refused(context: tuple[int, ...], continuation: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="at least one"):
        Request(context, continuation)


@pytest.mark.parametrize("name", ["micro", "original"])
def test_our_gpt_is_scored_as_plainly(name: str, gpt_config: Callable[..., Any]) -> None:
    torch.manual_seed(0)
    gpt = GPT(gpt_config(name, vocab_size=8, context=12, n_layer=2, n_embd=32)).eval()
    for p in gpt.parameters():  # no weight may be idle, whatever the initialisation
        torch.nn.init.normal_(p, std=0.2)
    asked = [*requests(seed=5), Request(tuple(range(1, 8)) * 3, (7, 1))]
    found = log_likelihoods(gpt, asked, 64)
    plain = [plainly(gpt, Request(r.context[-(13 - len(r.continuation)) :], r.continuation)) for r in asked]
    assert found.values == pytest.approx(plain, abs=1e-4)
    assert found.truncated == 1
