from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch

from foundling.generation.decode import complete, generate
from foundling.generation.sampling import GREEDY, Sampling
from foundling.model.gpt import GPT


@pytest.fixture(scope="module", params=["micro", "char", "llama"])
def model(request: pytest.FixtureRequest, gpt_config: Callable[..., Any]) -> GPT:
    torch.manual_seed(0)
    gpt = GPT(gpt_config(request.param, context=24, n_layer=2)).eval()
    for p in gpt.parameters():
        torch.nn.init.normal_(p, std=0.3)
    return gpt


@pytest.mark.parametrize("sampling", [GREEDY, Sampling(1.0, 10, 0.9)], ids=["greedy", "drawn"])
@pytest.mark.parametrize(
    "prompt", [[3], [5, 6, 7, 8, 9], list(range(40))], ids=["short", "middle", "over the context"]
)
def test_cached_equals_uncached_token_for_token_also_beyond_the_context(
    model: GPT, prompt: list[int], sampling: Sampling
) -> None:
    fast, plain = (list(generate(model, prompt, 60, sampling, seed=3, cached=c)) for c in (True, False))
    assert fast == plain
    assert len(fast) == 60


def test_generation_stops_before_the_end_of_text_token(model: GPT) -> None:
    whole = list(generate(model, [1], 20, GREEDY))
    stop = whole[5]
    assert list(generate(model, [1], 20, GREEDY, ends=[stop])) == whole[: whole.index(stop)]


def test_equal_seeds_write_equal_texts_and_others_do_not(model: GPT) -> None:
    a, b, c = (list(generate(model, [1], 40, Sampling(2.0, None, None), seed=s)) for s in (1, 1, 2))
    assert a == b != c


def test_a_guarded_answer_repeats_no_n_gram_but_may_copy_the_prompt(model: GPT) -> None:
    free = list(generate(model, [1, 2, 3], 40, GREEDY))
    guarded = list(generate(model, [1, 2, 3], 40, Sampling(0.0, None, None, 2)))
    pairs = list(pairwise(guarded))
    assert len(set(pairs)) == len(pairs) == 39
    assert len(set(pairwise(free))) < 39  # it loops without
    prompt = [1, 2, 3, *free[:4]]
    assert list(generate(model, prompt, 3, Sampling(0.0, None, None, 2)))[:2] == list(
        generate(model, prompt, 2, GREEDY)
    )


def test_an_empty_prompt_is_refused(model: GPT) -> None:
    with pytest.raises(ValueError, match="the prompt is empty"):
        list(generate(model, [], 5, GREEDY))


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_many_at_once_equal_each_alone_also_beyond_the_context(model: GPT, batch_size: int) -> None:
    lengths = [3, 5, 3, 1, 5, 3, 30, 30, 3, 9, 3]
    prompts = [
        torch.randint(50, (n,), generator=torch.Generator().manual_seed(i)).tolist()
        for i, n in enumerate(lengths)
    ]
    stop = list(generate(model, prompts[0], 9, GREEDY))[6]
    done = complete(model, prompts, 50, [stop], batch_size)
    alone = [list(generate(model, prompt, 50, GREEDY, ends=[stop])) for prompt in prompts]
    assert [one.ids for one in done] == alone
    assert [one.stopped for one in done] == [len(ids) < 50 for ids in alone]
    assert {one.stopped for one in done} == {True, False} or all(one.stopped for one in done)


def test_the_first_of_several_ends_counts(model: GPT) -> None:
    whole = list(generate(model, [1], 20, GREEDY))
    first, second = list(dict.fromkeys(whole))[-2:]  # in the order in which they occur
    for ends in ([first, second], [second, first]):
        assert list(generate(model, [1], 20, GREEDY, ends=ends)) == whole[: whole.index(first)]
        (done,) = complete(model, [[1]], 20, ends, 1)
        assert (done.ids, done.stopped) == (whole[: whole.index(first)], True)


def test_nothing_to_complete_is_nothing(model: GPT) -> None:
    assert complete(model, [], 5, [0], 8) == []
    assert complete(model, [[1]], 0, [0], 8)[0].ids == []
