from collections.abc import Callable
from typing import Any

import pytest
import torch

from foundling.model.gpt import GPT
from foundling.model.language_loss import language_loss
from foundling.model.loss import IGNORE_INDEX, next_token_loss
from foundling.settings.runtime import Logits


def test_the_loss_is_the_mean_surprise_over_the_targets_that_count() -> None:
    logits = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([[1, 2, IGNORE_INDEX], [4, IGNORE_INDEX, 0]])
    by_hand = (
        -sum(logits[b, t].softmax(0)[targets[b, t]].log() for b, t in ((0, 0), (0, 1), (1, 0), (1, 2))) / 4
    )
    torch.testing.assert_close(next_token_loss(logits, targets), by_hand)
    each = next_token_loss(logits, targets, reduction="none")
    assert each.shape == (2, 3)
    assert each[0, 2] == 0
    torch.testing.assert_close(next_token_loss(logits, targets, reduction="sum"), each.sum())


def test_smoothing_shares_out_a_part_of_the_target_among_all_tokens() -> None:
    logits = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([[1, 2, IGNORE_INDEX], [4, IGNORE_INDEX, 0]])
    by_hand = torch.zeros(())
    for b, t in ((0, 0), (0, 1), (1, 0), (1, 2)):
        wanted = torch.full((5,), 0.1 / 5)
        wanted[targets[b, t]] += 0.9
        by_hand = by_hand - (wanted * logits[b, t].log_softmax(0)).sum() / 4
    torch.testing.assert_close(next_token_loss(logits, targets, smoothing=0.1), by_hand)


def losses(network: GPT, logits: Logits, masked: bool, reduction: str) -> list[torch.Tensor]:
    """The loss and the gradients of all weights on a batch of which some targets do not count."""
    ids, targets = torch.randint(50, (2, 3, 8), generator=torch.Generator().manual_seed(1))
    targets[:, :3] = IGNORE_INDEX
    network.zero_grad()
    loss = language_loss(network, ids, targets, reduction, masked=masked, logits=logits)
    (3 * loss).backward()
    return [loss.detach(), *(p.grad.clone() for p in network.parameters() if p.grad is not None)]


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("tied", [False, True])
def test_the_loss_in_chunks_and_its_gradients_are_those_of_whole_logits(
    gpt_config: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tied: bool, masked: bool, reduction: str
) -> None:
    monkeypatch.setattr("foundling.model.logits.CHUNK", 7 * 50)  # so 15 counted tokens are three chunks
    torch.manual_seed(0)
    network = GPT(gpt_config("micro", n_layer=1, tied=tied))
    whole, chunks = (losses(network, how, masked, reduction) for how in ("whole", "chunks"))
    assert len(whole) == len(chunks) == 1 + len(list(network.parameters()))
    torch.testing.assert_close(chunks, whole, rtol=1e-4, atol=1e-6)


def test_chunks_keep_no_logits_and_a_frozen_head_gets_no_gradient(gpt_config: Callable[..., Any]) -> None:
    network = GPT(gpt_config("micro", n_layer=1, tied=False))
    assert network.output is not None
    network.output.requires_grad_(False)
    widths: list[torch.Size] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: widths.append(t.shape[-1:]) or t, lambda t: t):
        losses(network, "whole", masked=False, reduction="mean")
        assert (50,) in widths
        widths.clear()
        losses(network, "chunks", masked=False, reduction="mean")
    assert (50,) not in widths
    assert network.output.weight.grad is None
    assert network.token_embedding.weight.grad is not None


def test_the_loss_in_chunks_computes_in_autocasts_precision(gpt_config: Callable[..., Any]) -> None:
    torch.manual_seed(0)
    network = GPT(gpt_config("char", n_layer=1))
    with torch.autocast("cpu", torch.bfloat16):
        whole, chunks = (losses(network, how, False, "mean") for how in ("whole", "chunks"))
    for ours, plain in zip(chunks, whole, strict=True):
        assert (ours - plain).norm() < 0.02 * plain.norm()


def test_automatic_chunks_begin_where_logits_are_many(
    gpt_config: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    network, used = GPT(gpt_config("micro", n_layer=1)), []
    monkeypatch.setattr(
        "foundling.model.language_loss.chunked_loss",
        lambda hidden, *rest: used.append(len(hidden)) or hidden.sum(),
    )
    for many, expected in ((24 * 50 + 1, []), (24 * 50, [15])):
        monkeypatch.setattr("foundling.model.logits.MANY", many)
        losses(network, "auto", False, "sum")
        assert used == expected
