"""The effects of a sweep's settings equal those of statistics packages, and are drawn."""

import numpy as np
import pytest

from foundling.reporting.drawing import as_svg
from foundling.reporting.sweep_effects import Result, effects
from foundling.reporting.sweep_figures import main_effect, parallel_coordinates

RNG = np.random.default_rng(1)
KEYS = ("optimizer.lr", "model", "seed")
MANY = [
    Result(job, (f"{10 ** RNG.uniform(-4, 0):.3g}", "nano" if job % 2 else "micro", "1"), float(RNG.normal()))
    for job in range(20)
]


def test_levels_explain_what_the_analysis_of_variance_says() -> None:
    from scipy.stats import f_oneway

    groups = [[one.value for one in MANY if one.values[1] == name] for name in ("nano", "micro")]
    f = f_oneway(*groups).statistic
    (model,) = [one for one in effects(KEYS, MANY) if one.key == "model"]
    assert model.explained == pytest.approx(f / (f + 20 - 2))
    assert model.levels == [
        ("micro", pytest.approx(np.mean(groups[1])), 10),
        ("nano", pytest.approx(np.mean(groups[0])), 10),
    ]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # within statsmodels
def test_a_scale_explains_what_a_regression_on_its_square_says() -> None:
    from statsmodels.api import OLS

    x = np.log10([float(one.values[0]) for one in MANY])
    fitted = OLS([one.value for one in MANY], np.stack([np.ones(20), x, x**2], axis=1)).fit()
    (rate,) = [one for one in effects(KEYS, MANY) if one.key == "optimizer.lr"]
    assert (rate.is_scale, rate.is_log) == (True, True)
    assert rate.explained == pytest.approx(fitted.rsquared)


def test_settings_are_in_the_order_of_what_they_explain_and_numbers_by_size() -> None:
    results = [
        Result(i, (lr, seed), float(lr) + int(seed) / 100)
        for i, (lr, seed) in enumerate((lr, seed) for lr in ("0.5", "1e-1", "2") for seed in "12")
    ]
    found = effects(("optimizer.lr", "seed"), results)
    assert [one.key for one in found] == ["optimizer.lr", "seed"]
    assert [level for level, _, _ in found[0].levels] == ["1e-1", "0.5", "2"]
    assert found[0].explained > 0.99
    assert effects(("optimizer.lr", "seed"), results[:1]) == []
    equal = [Result(i, (str(i),), 2.0) for i in range(3)]
    assert [one.explained for one in effects(("x",), equal)] == [0.0]


@pytest.mark.parametrize("maximizes", [True, False])
def test_figures_have_each_value_and_are_the_same_each_time(maximizes: bool) -> None:
    def draw() -> list[str]:
        drawn = [main_effect(one, "val/loss") for one in effects(KEYS, MANY)]
        return [as_svg(one) for one in (*drawn, parallel_coordinates(KEYS, MANY, "val/loss", maximizes))]

    figures = draw()
    assert len(figures) == 3
    assert "nano" in figures[-1]
    assert f"{min(one.value for one in MANY):.4g}".lstrip("-") in figures[-1]
    assert figures == draw()
