"""Results of several seeds become means with Student's intervals, of the same structure."""

import re
from dataclasses import replace

import pytest

from foundling.metrics.accuracy import BenchmarkAccuracy
from foundling.metrics.pretrain import Pretrain
from foundling.reporting.material import Material, over_seeds
from foundling.reporting.page import page
from foundling.reporting.spread import Spread, merge, merge_rows
from foundling.reporting.statistics import t_interval


def test_numbers_become_means_with_intervals_and_counts_stay_counts() -> None:
    losses = (1.0, 1.2, 1.3)
    runs = [
        Pretrain(val_loss=loss, val_perplexity=3.0, val_bits_per_byte=loss, tokens=10, parameters=n)
        for n, loss in enumerate(losses)
    ]
    merged = merge(runs)
    assert isinstance(merged.val_loss, Spread)
    assert (merged.val_loss, merged.val_loss.low, merged.val_loss.high) == pytest.approx(t_interval(losses))
    assert (merged.val_perplexity, merged.tokens, merged.parameters) == (3.0, 10, 1)
    assert runs[0].val_loss == 1.0


def test_an_interval_over_items_is_replaced_by_that_over_seeds() -> None:
    shares = (0.5, 0.51)
    runs = [
        BenchmarkAccuracy(n=100, accuracy=one, low=one - 0.1, high=one + 0.1, chance=0.25) for one in shares
    ]
    merged = merge([{"all": run} for run in runs])["all"]
    assert (merged.accuracy, merged.low, merged.high) == pytest.approx(t_interval(shares))
    assert (merged.n, merged.chance, merged.control) == (100, 0.25, None)
    wide = merge([{"accuracy": one, "low": 0.0, "high": 1.0} for one in (0.2, 0.9)])
    assert (wide["low"], wide["high"]) == (0, 1)  # a share, although t would be wider


def test_only_rows_that_all_seeds_have_are_merged() -> None:
    first = [{"step": 1, "kind": "a", "loss": 2.0}, {"step": 2, "kind": "a", "loss": 1.0}]
    (row,) = merge_rows([first, [{"step": 2, "kind": "a", "loss": 2.0}]], ("step", "kind"))
    assert (row["step"], row["kind"], row["loss"]) == (2, "a", 1.5)
    assert isinstance(row["loss"], Spread)


def test_the_report_of_several_seeds_has_intervals_and_bands(full: Material) -> None:
    better = replace(
        full,
        evaluate=replace(full.evaluate, held_out=replace(full.evaluate.held_out, val_loss=0.8)),
        training=[{**row, "train/loss": 0.9 * row["train/loss"]} for row in full.training],
    )
    both = over_seeds([full, better], ["1", "2"])
    html = page(both)
    assert html == page(over_seeds([full, better], ["1", "2"]))
    assert "means over 2 runs (seeds 1, 2)" in html
    low, high = t_interval([full.evaluate.held_out.val_loss, 0.8])[1:]
    assert f"<small>{low:.3f} to {high:.3f}</small>" in html
    bands = [len(re.findall("FillBetween", one)) for one in (page(full), html)]
    assert bands[1] == bands[0] + 1  # around the training loss, the only curve that differs
