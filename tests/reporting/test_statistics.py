"""Each statistic equals that of scipy or statsmodels."""

import numpy as np
import pytest
from scipy.stats import bootstrap, permutation_test, ttest_1samp, ttest_ind, ttest_rel
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from foundling.reporting.statistics import by_items, by_seeds, holm, t_interval

SEEDS = ([1.27, 1.29, 1.25, 1.31], [1.22, 1.26, 1.21, 1.24])


@pytest.fixture
def outcomes() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    first = (random.random(200) < 0.6).astype(float)
    flipped = random.random(200) < 0.2
    return first, np.where(flipped, 1, first)


def test_the_interval_is_students() -> None:
    values = [0.8, 0.83, 0.9, 0.7]
    low, high = ttest_1samp(values, 0).confidence_interval(0.95)
    assert t_interval(values) == pytest.approx((sum(values) / 4, low, high))


def test_outcomes_of_single_seeds_are_tested_by_mcnemar(outcomes: tuple[np.ndarray, np.ndarray]) -> None:
    first, second = outcomes
    table = [[np.sum((first == i) & (second == j)) for j in (1, 0)] for i in (1, 0)]
    result = by_items(first, second)
    assert result.p == pytest.approx(mcnemar(table, exact=True).pvalue)
    assert result.difference == pytest.approx(second.mean() - first.mean())
    random = np.random.default_rng(0)
    expected = bootstrap((second - first,), np.mean, n_resamples=2000, method="percentile", rng=random)
    assert (result.low, result.high) == pytest.approx(tuple(expected.confidence_interval), abs=0.01)
    assert result.low > 0


def test_shares_over_seeds_are_tested_by_permutation(outcomes: tuple[np.ndarray, np.ndarray]) -> None:
    first, second = (0.5 * outcomes[0] + 0.5 * np.roll(outcomes[0], 1)), outcomes[1]
    result = by_items(first, second)
    expected = permutation_test(
        (first, second),
        lambda a, b, axis: np.mean(b - a, axis=axis),
        permutation_type="samples",
        n_resamples=2000,
        rng=np.random.default_rng(0),
    )
    assert result.method == "paired permutation test"
    assert result.p == pytest.approx(expected.pvalue, abs=0.02)


def test_equal_outcomes_show_no_difference() -> None:
    same = np.array([1.0, 0.0, 1.0])
    result = by_items(same, same)
    assert (result.difference, result.low, result.high, result.p) == (0, 0, 0, 1)


def test_equal_seeds_are_paired_and_others_welch() -> None:
    a, b = SEEDS
    paired, welch = by_seeds(a, b, paired=True), by_seeds(a, b, paired=False)
    assert paired.p == pytest.approx(ttest_rel(b, a).pvalue)
    assert (paired.low, paired.high) == pytest.approx(tuple(ttest_rel(b, a).confidence_interval()))
    assert welch.p == pytest.approx(ttest_ind(b, a, equal_var=False).pvalue)
    means = CompareMeans(DescrStatsW(b), DescrStatsW(a))
    assert (welch.low, welch.high) == pytest.approx(means.tconfint_diff(usevar="unequal"))
    assert means.ttest_ind(usevar="unequal")[1] == pytest.approx(welch.p)


@pytest.mark.parametrize(("second", "p"), [([1.0, 1.0], 1.0), ([2.0, 2.0], 0.0)])
def test_seeds_without_variation(second: list[float], p: float) -> None:
    result = by_seeds([1.0, 1.0], second, paired=True)
    assert (result.p, result.low, result.high) == (p, second[0] - 1, second[0] - 1)
    assert by_seeds([1.0, 1.0], second, paired=False).p == p


@pytest.mark.parametrize("values", [[], [0.03], [0.01, 0.04, 0.03, 0.2], [0.5, 0.5, 0.9], [0.02, 0.001]])
def test_holm_is_that_of_statsmodels(values: list[float]) -> None:
    expected = multipletests(values, method="holm")[1].tolist() if values else []
    assert holm(values) == pytest.approx(expected)
