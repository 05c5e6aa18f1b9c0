"""A benchmark's config decides how its records are read and scored."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console
from torch import nn

from foundling.evaluation.benchmarks import read_items, score
from foundling.evaluation.emergence import COLUMNS, curve_rows, write_curve
from foundling.evaluation.minimal_pairs import Pair
from foundling.evaluation.summary import summary

CONF = Path(__file__).parents[2] / "conf" / "benchmark"
FIELDS = {"query": "query", "choices": "choices", "gold": "gold"}
MINE: dict[str, Any] = {
    "name": "mine",
    "scoring": "multiple_choice",
    "fields": FIELDS,
    "template": "{query}",
    "normalised": False,
}
RECORDS = [
    {"query": f"q{i}", "choices": ["a", "b"], "gold": i % 2, "kind": f"k{i % 3}", "control": "q"} for i in range(30)
]


@pytest.mark.parametrize("path", sorted(CONF.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_benchmark_says_how_it_is_scored(path: Path) -> None:
    benchmark = yaml.safe_load(path.read_text())
    assert benchmark["name"] == path.stem
    sample = {"sentence_good": "a", "sentence_bad": "b"}
    if benchmark["scoring"] == "multiple_choice":
        fields = benchmark["fields"]
        sample = {fields["query"]: "q", fields["choices"]: ["a", "b"], fields["gold"]: 1}
        assert benchmark["template"].format(query="q").startswith("q")
        assert isinstance(benchmark["normalised"], bool)
    assert len(read_items([sample], benchmark, limit=None, seed=0)) == 1


def test_a_limit_draws_by_the_seed() -> None:
    drawn = read_items(RECORDS, MINE, limit=10, seed=1)
    assert len(set(drawn)) == 10
    assert drawn == read_items(RECORDS, MINE, limit=10, seed=1) != read_items(RECORDS, MINE, limit=10, seed=2)
    assert len(read_items(RECORDS, MINE, limit=99, seed=1)) == len(RECORDS)


@pytest.mark.parametrize(
    ("records", "scoring", "complaint"),
    [(RECORDS, "guess", "allowed are multiple_choice, minimal_pairs"), ([], "multiple_choice", "found no records")],
)
def test_what_cannot_be_scored_is_refused(records: list[dict[str, Any]], scoring: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        read_items(records, MINE | {"scoring": scoring}, limit=None, seed=0)


def test_a_faulty_record_is_named_by_its_number() -> None:
    records = [*RECORDS[:2], RECORDS[2] | {"choices": "up"}]
    with pytest.raises(ValueError, match=r"record 3 of benchmark mine: choices='up' is no list of choices"):
        read_items(records, MINE, limit=None, seed=0)


def test_a_result_becomes_curve_rows_and_a_table(uniform: nn.Module, words: Any, tmp_path: Path) -> None:
    items = read_items(RECORDS, MINE, limit=None, seed=0)
    found = score(uniform, words, items, MINE, control=True, batch_tokens=512, seed=0)
    rows = curve_rows({"step": 3, "tokens": 96, "val_loss": 4.5, "folder": "x"}, "mine", found)
    write_curve(tmp_path / "emergence.csv", rows)
    with open(tmp_path / "emergence.csv", newline="") as file:
        read = list(csv.DictReader(file))
    assert tuple(read[0]) == COLUMNS
    assert [row["kind"] for row in read] == ["all", "k0", "k1", "k2", "mean_of_kinds"]
    assert {(row["step"], row["tokens"], row["val/loss"], row["chance"]) for row in read} == {("3", "96", "4.5", "0.5")}
    console = Console(width=160, file=io.StringIO())
    console.print(summary({"held_out": {"val/loss": 4.5, "val/bits_per_byte": 1.5}, "benchmarks": {"mine": found}}))
    shown = console.file.getvalue()
    assert all(word in shown for word in ("mean_of_kinds", "50.0%", "control", "4.5000, 1.5000 bits per byte"))


def test_minimal_pairs_go_the_same_road(uniform: nn.Module, words: Any) -> None:
    benchmark = {"name": "pairs", "scoring": "minimal_pairs"}
    items = read_items([{"sentence_good": "a b", "sentence_bad": "b a", "UID": "order"}], benchmark, limit=None, seed=0)
    assert items == [Pair("a b", "b a", "order")]
    found = score(uniform, words, items, benchmark, control=True, batch_tokens=64, seed=0)
    assert list(found["kinds"]) == ["all", "order"]
