"""Intervals are Wilson's, and kinds have equal weight in their mean."""

import pytest

from foundling.evaluation.accuracy import ALL, MEAN_OF_KINDS, accuracy, by_kind


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [  # Newcombe (1998), Statistics in Medicine 17:857, Table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_interval_equals_published_values(right: int, n: int, low: float, high: float) -> None:
    found = accuracy([True] * right + [False] * (n - right))
    assert (found.n, found.accuracy) == (n, right / n)
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


def test_kinds_weigh_alike_in_their_mean() -> None:
    right = [True] * 90 + [False] * 10 + [True, False] * 5
    kinds = ["facts"] * 100 + ["binding"] * 10
    found = by_kind(kinds, lambda chosen: accuracy([right[i] for i in chosen]))
    assert list(found) == [ALL, "facts", "binding", MEAN_OF_KINDS]
    assert found[MEAN_OF_KINDS].accuracy == pytest.approx((0.9 + 0.5) / 2)
    assert found[MEAN_OF_KINDS].n == 110
    half = 1.96 * (0.9 * 0.1 / 100 + 0.5 * 0.5 / 10) ** 0.5 / 2
    assert found[MEAN_OF_KINDS].low == pytest.approx(0.7 - half)
    assert found[ALL].accuracy == pytest.approx(95 / 110)


def test_items_without_kinds_are_only_counted_together() -> None:
    assert list(by_kind([None, None], lambda chosen: accuracy([True] * len(chosen)))) == [ALL]
