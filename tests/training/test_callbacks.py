"""Snapshots are taken where the loss falls."""

from itertools import pairwise

import pytest

from foundling.training.callbacks import log_spaced


def test_snapshots_are_the_untrained_model_and_log_spaced_steps_from_a_sixteenth_on() -> None:
    steps = log_spaced(12, 1350)
    assert len(steps) == 12
    assert (steps[0], steps[1], steps[-1]) == (0, 84, 1350)
    ratios = [after / before for before, after in pairwise(steps[1:])]
    assert ratios == pytest.approx([16 ** (1 / 10)] * 10, rel=0.02)


@pytest.mark.parametrize(
    ("count", "last", "steps"),
    [(0, 100, []), (5, 0, []), (1, 100, [0]), (2, 100, [0, 100]), (3, 100, [0, 6, 100]), (9, 2, [0, 1, 2])],
)
def test_there_are_as_many_as_asked_for_unless_they_coincide(count: int, last: int, steps: list[int]) -> None:
    assert log_spaced(count, last) == steps
