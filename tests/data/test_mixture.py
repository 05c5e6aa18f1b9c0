"""Shares of a mixture follow weights and `first`, and add up over a training."""

import numpy as np
import pytest

from foundling.data.mixture import shares_at, shares_of_all


def test_sources_that_come_first_share_by_weight_alone() -> None:
    weights, firsts = [6.0, 1.0, 3.0], [0.0, 0.5, 0.2]
    assert shares_at(0.1, weights, firsts) == pytest.approx([0, 0.25, 0.75])
    assert shares_at(0.3, weights, firsts) == pytest.approx([0, 1, 0])
    assert shares_at(0.5, weights, firsts) == pytest.approx([0.6, 0.1, 0.3])


def test_the_share_of_all_is_the_mean_over_the_steps() -> None:
    weights, firsts = [6.0, 1.0, 3.0], [0.0, 0.5, 0.2]
    steps = np.mean([shares_at(step / 1000, weights, firsts) for step in range(1000)], axis=0)
    assert shares_of_all(weights, firsts) == pytest.approx(steps)
    assert shares_of_all([3.0, 1.0], [0.0, 0.0]) == [0.75, 0.25]
