from random import Random

import pytest
import torch

from foundling.generation.sampling import GREEDY, RepetitionGuard, distribution, sample
from foundling.settings.generation import Sampling

LOGITS = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()


def test_temperature_zero_takes_the_likeliest() -> None:
    assert sample(LOGITS, GREEDY).tolist() == [0]


def test_top_k_and_top_p_keep_just_the_likeliest_and_share_out_the_rest() -> None:
    torch.testing.assert_close(
        distribution(LOGITS, Sampling(1.0, 2, None)), torch.tensor([[0.625, 0.375, 0, 0]])
    )
    torch.testing.assert_close(
        distribution(LOGITS, Sampling(1.0, None, 0.6)), torch.tensor([[0.625, 0.375, 0, 0]])
    )
    torch.testing.assert_close(
        distribution(LOGITS, Sampling(1.0, None, 1e-6)), torch.tensor([[1.0, 0, 0, 0]])
    )


def test_draws_follow_the_distribution_and_the_seed() -> None:
    many = LOGITS.expand(20_000, -1)
    draws = [sample(many, Sampling(1.0, None, None), torch.Generator().manual_seed(7)) for _ in range(2)]
    assert torch.equal(*draws)
    shares = draws[0].bincount(minlength=4) / len(many)
    torch.testing.assert_close(shares, LOGITS[0].exp(), atol=0.02, rtol=0)


def test_a_low_temperature_sharpens_and_a_high_one_flattens() -> None:
    cold, plain, hot = (distribution(LOGITS, Sampling(t, None, None))[0, 0] for t in (0.5, 1.0, 2.0))
    assert cold > plain > hot


@pytest.mark.parametrize("size", [2, 3, 5])
def test_the_guard_bans_what_transformers_bans(size: int) -> None:
    from transformers.generation.logits_process import NoRepeatNGramLogitsProcessor

    theirs, ours, rng = NoRepeatNGramLogitsProcessor(size), RepetitionGuard(size), Random(size)
    written: list[int] = []
    logits = torch.zeros(1, 3)
    banned = 0
    for _ in range(200):
        expected = theirs(torch.tensor([written], dtype=torch.long), logits)
        assert torch.equal(ours.apply(logits), expected)
        banned += int(expected.isinf().sum())
        written.append(rng.randrange(3))
        ours.append(written[-1])
    assert banned > 0
