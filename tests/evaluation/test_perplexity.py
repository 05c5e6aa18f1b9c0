"""Held-out loss counts each target once, whatever the windows and batches."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from foundling.evaluation.perplexity import held_out_metrics, text_nats
from foundling.metrics import to_plain


@pytest.mark.parametrize("length", [2, 12, 13, 14, 60, 61, 100])
@pytest.mark.parametrize("batch_tokens", [1, 30, 4096])
def test_equals_a_plain_loop_over_windows(model: nn.Module, length: int, batch_tokens: int) -> None:
    ids = np.random.default_rng(length).integers(0, 128, length).astype(np.uint16)
    nats, targets = 0.0, 0
    for start in range(0, length - 1, model.config.context):
        window = torch.from_numpy(ids[start : start + model.config.context + 1].astype(np.int64))
        logits = model(window[None, :-1])[0].double()
        nats -= torch.log_softmax(logits, -1).gather(1, window[1:, None]).sum().item()
        targets += len(window) - 1
    found = text_nats(model, ids, text_bytes=3 * length, batch_tokens=batch_tokens)
    assert found.tokens == targets == length - 1
    assert found.nats == pytest.approx(nats, rel=1e-5)


def test_a_longer_context_reads_the_same_windows(model: nn.Module) -> None:
    ids = np.random.default_rng(0).integers(0, 128, 60).astype(np.uint16)
    found = text_nats(model, ids, 60, 4096, window=5)
    parts = [text_nats(model, ids[start : start + 6], 6, 4096) for start in range(0, 59, 5)]
    assert found.nats == pytest.approx(sum(part.nats for part in parts), rel=1e-5)


def test_bits_per_byte_of_a_uniform_model(uniform: nn.Module) -> None:
    ids = np.arange(101, dtype=np.uint16)
    found = text_nats(uniform, ids, text_bytes=50, batch_tokens=64).metrics
    assert found.val_loss == pytest.approx(math.log(128), rel=1e-6)
    assert found.val_perplexity == pytest.approx(128, rel=1e-5)
    assert found.val_bits_per_byte == pytest.approx(7 * 100 / 50, rel=1e-6)


def test_texts_together_weigh_by_tokens(model: nn.Module) -> None:
    ids = np.random.default_rng(0).integers(0, 128, 80).astype(np.uint16)
    parts = [text_nats(model, ids[:20], 30, 64), text_nats(model, ids[20:], 70, 64)]
    whole = parts[0] + parts[1]
    assert (whole.tokens, whole.bytes) == (19 + 59, 100)
    assert whole.metrics.val_loss == pytest.approx(
        (19 * parts[0].metrics.val_loss + 59 * parts[1].metrics.val_loss) / 78
    )


def test_a_text_of_one_token_is_refused(uniform: nn.Module) -> None:
    with pytest.raises(ValueError, match="at least 2"):
        text_nats(uniform, np.zeros(1, dtype=np.uint16), 1, 64)


def test_sources_are_shown_one_by_one_and_an_empty_one_is_left_out(model: nn.Module) -> None:
    ids = np.random.default_rng(0).integers(0, 128, 80).astype(np.uint16)
    one = held_out_metrics(model, {"a": (ids, 100)}, 64)
    assert "sources" not in to_plain(one)
    three = held_out_metrics(model, {"a": (ids, 100), "b": (ids[:30], 40), "c": (ids[:1], 1)}, 64)
    assert three.sources is not None
    assert list(three.sources) == ["a", "b"]
    assert to_plain(three.sources["a"]) == to_plain(one)
    assert three.tokens == 79 + 29
    with pytest.raises(ValueError, match="at least 2"):
        held_out_metrics(model, {"a": (ids[:1], 1), "b": (ids[:0], 0)}, 64)
