"""Sequences of different lengths in one batch get the logits that each gets alone."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
import torch

from foundling.model.batch_cache import BatchCache
from foundling.model.gpt import GPT
from foundling.model.kv_cache import KVCache


@pytest.mark.parametrize("name", ["micro", "char", "llama", "lfm2"])
@torch.inference_mode()
def test_rows_that_join_grow_and_leave_are_computed_as_alone(
    name: str, gpt_config: Callable[..., Any]
) -> None:
    torch.manual_seed(0)
    model = GPT(gpt_config(name, context=150)).eval()
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.2)
    rng, batch = Random(0), BatchCache(model.config.n_layer, model.config.context)
    alone: list[KVCache] = []
    for step in range(60):
        if step % 6 == 0:  # one more than there was room for, and longer
            alone.append(model.new_cache())
            model.hidden(torch.randint(50, (1, rng.randint(1, 80))), alone[-1])
            batch.join(alone[-1])
        if step % 14 == 13:
            row = rng.randrange(len(alone))
            alone[row] = alone[-1]
            alone.pop()
            batch.leave(row)
        ids = torch.randint(50, (len(alone), 1))
        expected = [model.hidden(ids[i : i + 1], cache) for i, cache in enumerate(alone)]
        torch.testing.assert_close(model.hidden(ids, batch), torch.cat(expected), atol=1e-4, rtol=1e-4)
    assert batch.lengths == [cache.length for cache in alone]
    ids = torch.randint(50, (1, 3))
    copy = batch.row(1)
    torch.testing.assert_close(model.hidden(ids, copy), model.hidden(ids, alone[1]), atol=1e-4, rtol=1e-4)
    assert batch.lengths[1] == copy.length - 3


@torch.inference_mode()
def test_a_fork_and_its_origin_do_not_see_each_other(gpt_config: Callable[..., Any]) -> None:
    model, ids = GPT(gpt_config("micro")).eval(), torch.randint(50, (1, 20))
    origin = model.new_cache()
    model.hidden(ids[:, :10], origin)
    fork = origin.fork()
    model.hidden(ids[:, :5], fork)
    ours, theirs = model.hidden(ids[:, 10:], origin), model.hidden(ids)[:, 10:]
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    assert fork.length == 15
