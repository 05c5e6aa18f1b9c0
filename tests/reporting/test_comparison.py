"""Runs are grouped by seeds, compared by settings, metrics, items and curves, and shown on one page."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from scipy.stats import ttest_1samp

from foundling.artifacts import write_json
from foundling.reporting.comparison import compare, group
from foundling.reporting.comparison_figures import curves
from foundling.reporting.comparison_page import comparison_page
from foundling.reporting.comparison_table import tables
from foundling.reporting.result_files import FolderFiles
from foundling.reporting.runs import Measurement, Run, leaves, newest_sweep, open_runs, read_run
from foundling.terminal import show

LOSS, ACCURACY = "pretrain.val/loss", "evaluate.benchmarks.arc.kinds.all.accuracy"


def write_run(
    folder: Path,
    loss: float = 1.0,
    seed: int = 1,
    layers: int = 2,
    right: tuple[bool, ...] = (),
    steps: tuple[int, ...] = (10, 20),
    commit: str = "ab12",
) -> Path:
    """A run's files: composed.yaml, metrics/ and plots/."""
    kinds = {"all": {"n": 100, "accuracy": 0.5, "low": 0.4, "high": 0.6, "chance": 0.25}}
    write_json(folder / "metrics/pretrain.json", {"val/loss": loss, "tokens": 4096})
    write_json(folder / "metrics/pretrain_run.json", {"commit": commit, "overrides": [f"seed={seed}"]})
    write_json(folder / "metrics/evaluate.json", {"benchmarks": {"arc": {"measure": "x", "kinds": kinds}}})
    settings = {"model": {"n_layer": layers}, "pretrain": {"seed": seed, "max_steps": 20}}
    (folder / "composed.yaml").write_text(yaml.safe_dump(settings))
    rows = [("arc", f"item{i}", "", int(one)) for i, one in enumerate(right)]
    tables = {
        "pretrain": (("step", "tokens", "train/loss"), [(s, 100 * s, loss + 1 / s) for s in steps]),
        "benchmark_answers": (("benchmark", "item", "kind", "right"), rows),
    }
    (folder / "plots").mkdir(exist_ok=True)
    for name, (columns, lines) in tables.items():
        with open(folder / f"plots/{name}.csv", "w", newline="") as file:
            csv.writer(file).writerows([columns, *lines])
    return folder


def read(folder: Path) -> Run:
    return read_run(FolderFiles(folder))


def test_metrics_have_dotted_names_and_their_own_intervals(tmp_path: Path) -> None:
    run = read(write_run(tmp_path))
    assert run.metrics[LOSS] == Measurement(1.0)
    assert run.metrics[ACCURACY] == Measurement(0.5, 0.4, 0.6)
    assert not any(name.endswith((".low", ".high")) for name in run.metrics)
    assert not any("run" in name for name in run.metrics)
    assert (run.commit, run.settings["model.n_layer"]) == ("ab12", 2)
    assert run.curves["pretrain.train/loss"] == [(10, 1000, 1.1), (20, 2000, 1.05)]


def test_a_model_knows_better_than_composed_yaml_what_it_was_trained_with(tmp_path: Path) -> None:
    write_run(tmp_path, layers=2)
    write_json(tmp_path / "models/base/provenance.json", {"config": {"model": {"n_layer": 6}}})
    assert read(tmp_path).settings["model.n_layer"] == 6


def test_without_any_settings_the_recorded_overrides_count(tmp_path: Path) -> None:
    write_run(tmp_path, seed=7)
    (tmp_path / "composed.yaml").unlink()
    assert read(tmp_path).settings == {"seed": "7"}


def test_lists_of_mappings_have_names_too() -> None:
    values = {"sources": [{"name": "a"}, {"name": "b"}], "sizes": [1, 2], "none": {}}
    assert dict(leaves(values)) == {"sources.0.name": "a", "sources.1.name": "b", "sizes": [1, 2], "none": {}}


def test_runs_that_differ_only_in_seeds_are_one_side(tmp_path: Path) -> None:
    losses = (1.0, 1.2, 1.1)
    runs = [read(write_run(tmp_path / str(i), loss, seed=i)) for i, loss in enumerate(losses)]
    sides = group([*runs, read(write_run(tmp_path / "deep", layers=4, seed=0))])
    assert [(side.letter, side.seeds) for side in sides] == [("A", "0, 1, 2"), ("B", "0")]
    assert sides[0].name == f"{tmp_path}/{{0,1,2}}"
    low, high = ttest_1samp(losses, 0).confidence_interval()
    measured = sides[0].measure(LOSS)
    assert measured is not None
    assert (measured.value, measured.low, measured.high) == pytest.approx((1.1, low, high))


def test_the_same_seed_or_another_commit_is_another_side(tmp_path: Path) -> None:
    first = read(write_run(tmp_path / "first"))
    assert len(group([first, read(write_run(tmp_path / "again"))])) == 2
    assert len(group([first, read(write_run(tmp_path / "later", seed=2, commit="cd34"))])) == 2


def test_only_settings_that_differ_are_shown(tmp_path: Path) -> None:
    runs = [read(write_run(tmp_path / str(n), layers=n, seed=n)) for n in (2, 4)]
    (tmp_path / "2/composed.yaml").write_text("{model: {n_layer: 2}, classify: {lr: 1}}")
    found = compare([read(tmp_path / "2"), runs[1]], [LOSS])
    assert [(setting.name, setting.values) for setting in found.settings] == [("model.n_layer", [2, 4])]
    assert found.uncompared == ["classify", "pretrain"]


def test_items_are_paired_by_name_and_tested(tmp_path: Path) -> None:
    a = write_run(tmp_path / "a", right=(False,) * 30 + (True,) * 10)
    b = write_run(tmp_path / "b", right=(True,) * 38, layers=4)
    (test,) = compare([read(a), read(b)], ["*"]).item_tests
    assert (test.name, test.side, test.n) == ("evaluate.arc", "B", "38 of 40")
    assert test.means == (8 / 38, 1.0)
    assert (test.p, test.verdict) == (pytest.approx(2 * 0.5**30), "B higher")
    assert test.result.method == "McNemar's exact test"


def test_where_no_difference_is_shown_it_says_so(tmp_path: Path) -> None:
    a = write_run(tmp_path / "a", right=(True, False, True))
    b = write_run(tmp_path / "b", right=(True, True, True), layers=4)
    (test,) = compare([read(a), read(b)], ["*"]).item_tests
    assert test.verdict == "no difference shown"


def test_several_comparisons_are_adjusted(tmp_path: Path) -> None:
    folders = [write_run(tmp_path / str(n), layers=n, right=(n > 2,) * 5 + (True,) * 5) for n in (2, 3, 4)]
    tests = compare([read(folder) for folder in folders], ["*"]).item_tests
    assert [test.result.p for test in tests] == [0.0625, 0.0625]
    assert [test.p for test in tests] == [0.125, 0.125]


def test_seeds_are_tested_where_both_sides_have_several(tmp_path: Path) -> None:
    runs = [
        read(write_run(tmp_path / f"{layers}-{seed}", layers / 10 + layers * seed / 100, seed, layers))
        for layers in (2, 4)
        for seed in (1, 2, 3)
    ]
    (test,) = compare(runs, [LOSS]).seed_tests
    assert (test.result.method, test.n, test.verdict) == ("paired t-test", "3, 3", "B higher")
    assert compare(runs[:4], [LOSS]).seed_tests == []
    (test,) = compare(runs[:5], [LOSS]).seed_tests
    assert test.result.method == "Welch's t-test"


def test_seeds_with_other_steps_are_interpolated_where_all_have_values(tmp_path: Path) -> None:
    steps = ((10, 20, 40), (20, 30, 40))
    runs = [read(write_run(tmp_path / str(i), 1.0 + i, i, steps=one)) for i, one in enumerate(steps)]
    (curve,) = curves(group(runs), "pretrain.train/loss", "step")
    assert (curve.x[0], curve.x[-1]) == (20, 40)
    assert curve.mean[0] == pytest.approx(1.5 + 1 / 20)
    assert curve.low is not None
    assert curve.low[0] < curve.mean[0]


def test_the_page_is_self_contained_and_has_each_figures_numbers(tmp_path: Path) -> None:
    runs = [read(write_run(tmp_path / str(n), layers=n, right=(True,) * n)) for n in (2, 4)]
    page = comparison_page(compare(runs, [LOSS]), "tokens")
    assert page == comparison_page(compare(runs, [LOSS]), "tokens")
    assert "A and B compared" in page
    assert "model.n_layer" in page
    assert "pretrain.max_steps" not in page
    assert page.count("<svg") == page.count('download="') == 1
    assert not re.search(r'(src|href)="(?!data:text/csv|#)', page)
    assert "<script" not in page


def test_a_setting_with_markup_is_shown_as_text(tmp_path: Path) -> None:
    for n in (1, 2):
        write_run(tmp_path / str(n))
        (tmp_path / str(n) / "composed.yaml").write_text(f"{{model: {{name: '<script>{n}</script> [/b]'}}}}")
    comparison = compare([read(tmp_path / "1"), read(tmp_path / "2")], [LOSS])
    assert "<script" not in comparison_page(comparison, "step")


def test_many_sides_become_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [read(write_run(tmp_path / str(n), loss=n / 8, layers=n)) for n in range(30)]
    show(*tables(compare(runs, [LOSS])))
    out = capsys.readouterr().out
    assert re.search(r"AD +29 +1 +29 +3\.6250", out)


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        (
            "metrics/pretrain.json",
            "[1]",
            "metrics/pretrain.json is not valid JSON .it is a list, not an object",
        ),
        ("metrics/pretrain.json", "{", "metrics/pretrain.json is not valid JSON"),
        ("composed.yaml", "[", "composed.yaml, line 1 cannot be read as plain YAML"),
        ("plots/answers.jsonl", "{", "plots/answers.jsonl cannot be read"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, file: str, text: str, says: str) -> None:
    (write_run(tmp_path) / file).write_text(text)
    with pytest.raises(ValueError, match=says):
        read(tmp_path)


def test_an_unknown_metric_lists_some(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"compare.metrics=x: none of the 1 runs .* pretrain.val/loss"):
        compare([read(write_run(tmp_path))], ["x"])


def test_a_sweeps_jobs_are_read_in_order_and_the_newest_sweep_is_found(tmp_path: Path) -> None:
    for time in ("instruct/2026-01-01_10-00-00", "classify/2026-01-02_10-00-00"):
        for job in range(12):
            write_run(tmp_path / time / str(job), seed=job)
    newest = newest_sweep(tmp_path)
    assert newest.parent.name == "classify"
    assert [Path(run.name).name for run in open_runs(str(newest))] == [str(job) for job in range(12)]
    with pytest.raises(ValueError, match="has no results"):
        open_runs(str(tmp_path))


def test_files_of_old_versions_are_read_as_far_as_their_names_match(tmp_path: Path) -> None:
    write_run(tmp_path)
    old: dict[str, Any] = {"val/loss": 2.0, "gone": {"deep": 3}, "name": "x", "flag": True, "list": [1]}
    (tmp_path / "metrics/pretrain.json").write_text(json.dumps(old))
    metrics = read(tmp_path).metrics
    assert (metrics[LOSS].value, metrics["pretrain.gone.deep"].value) == (2.0, 3.0)
    assert not {"pretrain.name", "pretrain.flag", "pretrain.list"} & set(metrics)
