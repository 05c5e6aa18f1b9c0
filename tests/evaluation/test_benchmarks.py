"""A benchmark's config decides how its records are read and scored."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console
from torch import nn

from foundling.evaluation.benchmarks import read_benchmark
from foundling.evaluation.emergence import COLUMNS, curve_points, write_curve
from foundling.evaluation.minimal_pairs import MinimalPairs, Pair
from foundling.evaluation.multiple_choice import MultipleChoice, Question
from foundling.evaluation.summary import summary
from foundling.metrics.evaluate import Evaluate, HeldOut, Snapshot
from foundling.settings.datasets import Benchmark, Source
from foundling.validation import build

CONF = Path(__file__).parents[2] / "conf" / "benchmark"
SOURCES = (Source(name="mine", path="mine.jsonl"),)
MINE = Benchmark(name="mine", sources=SOURCES, scoring="multiple_choice")
RECORDS = [
    {"query": f"q{i}", "choices": ["a", "b"], "gold": i % 2, "kind": f"k{i % 3}", "control": "q"}
    for i in range(30)
]


@pytest.mark.parametrize("path", sorted(CONF.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_benchmark_says_how_it_is_scored(path: Path) -> None:
    benchmark = build(Benchmark, yaml.safe_load(path.read_text()), "")
    assert benchmark.name == path.stem
    sample: dict[str, Any] = {"sentence_good": "a", "sentence_bad": "b"}
    if benchmark.scoring == "multiple_choice":
        fields = benchmark.fields
        sample = {fields.query: "q", fields.choices: ["a", "b"], fields.gold: 1}
        assert benchmark.template.format(query="q").startswith("q")
    read_benchmark([sample], benchmark, limit=None, seed=0)


def test_a_limit_draws_by_the_seed() -> None:
    def draw(limit: int, seed: int) -> list[Question]:
        items = read_benchmark(RECORDS, MINE, limit, seed)
        assert isinstance(items, MultipleChoice)
        return list(items.questions)

    assert len(set(draw(10, 1))) == 10
    assert draw(10, 1) == draw(10, 1) != draw(10, 2)
    assert len(draw(99, 1)) == len(RECORDS)


def test_a_benchmark_without_records_is_refused() -> None:
    with pytest.raises(ValueError, match="benchmark mine has no records; run `foundling fetch` again"):
        read_benchmark([], MINE, limit=None, seed=0)


def test_an_unknown_scoring_is_refused() -> None:
    values = {"name": "mine", "sources": [{"name": "mine", "path": "x"}], "scoring": "guess"}
    with pytest.raises(ValueError, match="scoring='guess': must be one of multiple_choice or minimal_pairs"):
        build(Benchmark, values, "")


def test_a_faulty_record_is_named_by_its_number() -> None:
    records = [*RECORDS[:2], RECORDS[2] | {"choices": "up"}]
    with pytest.raises(ValueError, match=r"record 3 of benchmark mine: choices='up': must be a list"):
        read_benchmark(records, MINE, limit=None, seed=0)


def test_a_result_is_written_as_curve_rows_and_a_table(
    uniform: nn.Module, words: Any, tmp_path: Path
) -> None:
    items = read_benchmark(RECORDS, MINE, limit=None, seed=0)
    scores = items.score(uniform, words, control=True, batch_tokens=512, seed=0).scores
    points = curve_points(Snapshot(step=3, tokens=96, folder="x"), 4.5, "mine", scores)
    write_curve(tmp_path / "emergence.csv", points)
    with open(tmp_path / "emergence.csv", newline="") as file:
        read = list(csv.DictReader(file))
    assert tuple(read[0]) == COLUMNS
    assert [row["kind"] for row in read] == ["all", "k0", "k1", "k2", "mean_of_kinds"]
    assert {(row["step"], row["tokens"], row["val/loss"], row["chance"]) for row in read} == {
        ("3", "96", "4.5", "0.5")
    }
    console = Console(width=160, file=io.StringIO())
    held_out = HeldOut(val_loss=4.5, val_perplexity=90.0, val_bits_per_byte=1.5, tokens=99)
    console.print(summary(Evaluate(held_out=held_out, benchmarks={"mine": scores})))
    shown = console.file.getvalue()
    assert all(
        word in shown for word in ("mean_of_kinds", "50.0%", "control", "4.5000, 1.5000 bits per byte")
    )


def test_minimal_pairs_are_read_and_scored_likewise(uniform: nn.Module, words: Any) -> None:
    benchmark = Benchmark(name="pairs", sources=SOURCES, scoring="minimal_pairs")
    record = {"sentence_good": "a b", "sentence_bad": "b a", "UID": "order"}
    items = read_benchmark([record], benchmark, limit=None, seed=0)
    assert items == MinimalPairs([Pair("a b", "b a", "order")])
    assert list(items.score(uniform, words, control=True, batch_tokens=64, seed=0).scores.kinds) == [
        "all",
        "order",
    ]
