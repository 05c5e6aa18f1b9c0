"""Train the default models with several seeds, and test them: python benchmarks/seeds.py 1,2,3 [overrides].

Each seed has its own initial weights and batches from the same texts. It runs in multirun/seeds/<seed>, from
fetch to the tuned spam filter and assistant, and plots its emergence.png there; a seed that has ended is not
run again. Prints the mean over seeds with its 95 % interval (Student's t): of the base model by benchmark and
kind, with chance, the better rule of mention, and the control without the story; then of the tuned models.
"""

import csv
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from rich.console import Console
from rich.table import Table
from scipy.stats import t

from foundling.metrics import read_metrics
from foundling.metrics.classify import Classify
from foundling.metrics.instruct import Instruct
from foundling.reporting.drawing import as_png
from foundling.reporting.figures import emergence
from foundling.reporting.kinds import in_order

PLACE = Path("multirun/seeds")
STAGES = (
    "compose",
    "fetch corpus",
    "fetch benchmarks",
    "train_tokenizer",
    "tokenize",
    "pretrain",
    "evaluate",
    "fetch classify",
    "classify",
    "fetch instruct",
    "instruct",
)
TITLE = "Tasks that the model was never trained on, as its loss falls"
EVALUATE, CLASSIFY, INSTRUCT = (
    Path(f"metrics/{stage}.json") for stage in ("evaluate", "classify", "instruct")
)
TIMES = Path("seconds.json")


def main(seeds: list[str], overrides: list[str]) -> None:
    """Run what is missing, then print the table."""
    for seed in seeds:
        if not (PLACE / seed / TIMES).exists():
            run(PLACE / seed, [f"seed={seed}", *overrides])
    folders = [PLACE / seed for seed in seeds]
    console = Console(width=120)
    console.print(base_table(folders))
    console.print(tuned_table(folders))
    for folder in folders:
        seconds = json.loads((folder / TIMES).read_text())
        print(
            f"{folder}: {sum(seconds.values()):.0f} s, of which",
            ", ".join(f"{n} {s:.0f}" for n, s in seconds.items()),
        )


def run(folder: Path, overrides: list[str]) -> None:
    """Run the stages one after another in their own folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copytree("conf", folder / "conf")
    shutil.copy("params.yaml", folder)
    seconds = {}
    for stage in STAGES:
        began = time.perf_counter()
        name, *dataset = stage.split()
        command = [
            sys.executable,
            "-m",
            "foundling",
            name,
            *(f"fetch.dataset={one}" for one in dataset),
            *overrides,
        ]
        subprocess.run(
            command, cwd=folder, env=os.environ | {"PYTHONPATH": str(Path("src").resolve())}, check=True
        )
        seconds[stage] = time.perf_counter() - began
    (folder / "emergence.png").write_bytes(as_png(emergence(read_rows(folder), TITLE)))
    (folder / TIMES).write_text(json.dumps(seconds))


def read_rows(folder: Path) -> list[dict[str, Any]]:
    """The emergence curve of the first benchmark."""
    with open(folder / "plots/emergence.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        {name: value if name in ("benchmark", "kind") else float(value) for name, value in row.items()}
        for row in rows
        if row["benchmark"] == rows[0]["benchmark"]
    ]


def base_table(folders: list[Path]) -> Table:
    """Mean and interval of each benchmark and kind over the folders."""
    runs = [json.loads((folder / EVALUATE).read_text())["benchmarks"] for folder in folders]
    shown = Table(
        "benchmark", "kind", "questions", "accuracy", "95 %", "lowest", "chance", "mention", "control"
    )
    for column in shown.columns[2:]:
        column.justify = "right"
    for benchmark, result in runs[0].items():
        for kind in in_order(result["kinds"]):
            found = [one[benchmark]["kinds"][kind] for one in runs]
            shown.add_row(
                benchmark.removeprefix("fables_"), kind, f"{found[0]['n']:,}", *map(percent, row(found))
            )
    return shown


def tuned_table(folders: list[Path]) -> Table:
    """Mean and interval of the spam filter, its strongest baseline, and the assistant by kind."""
    filters = [read_metrics(folder / CLASSIFY, Classify).models for folder in folders]
    shown = Table("task", "test texts", "measure", "mean", "95 %", "lowest")
    for column in shown.columns[3:]:
        column.justify = "right"
    for model in ("classifier", "char_tfidf_svm"):
        labels = [models[model].labels["spam"] for models in filters]
        shown.add_row(
            f"spam: {model}", f"{filters[0][model].n:,}", "F1", *over_seeds([one.f1 for one in labels])
        )
    tuned = [read_metrics(folder / INSTRUCT, Instruct).tuned.kinds for folder in folders]
    for kind in in_order(tuned[0]):
        values = [kinds[kind].accuracy for kinds in tuned]
        shown.add_row(f"assistant: {kind}", f"{tuned[0][kind].n:,}", "accuracy", *over_seeds(values))
    return shown


def over_seeds(values: list[float]) -> list[str]:
    return [percent(mean(values)), percent(interval(values)), percent(min(values))]


def row(found: list[dict[str, Any]]) -> list[float | tuple[float, float] | None]:
    """Mean, interval, lowest; then chance, the better rule of mention and the control, as means."""
    values = [one["accuracy"] for one in found]
    rules = [max(one["first_mentioned"], one["last_mentioned"]) for one in found if "first_mentioned" in one]
    controls = [one["control"] for one in found if "control" in one]
    others = [
        mean(one["chance"] for one in found),
        *(mean(some) if some else None for some in (rules, controls)),
    ]
    return [mean(values), interval(values), min(values), *others]


def interval(values: list[float]) -> tuple[float, float] | None:
    """Student's 95 % interval of the mean, within 0 and 1; None for a single value."""
    if len(values) < 2:
        return None
    half = t.ppf(0.975, len(values) - 1) * stdev(values) / len(values) ** 0.5
    return max(0.0, mean(values) - half), min(1.0, mean(values) + half)


def percent(value: float | tuple[float, float] | None) -> str:
    if value is None:
        return ""
    return f"{value[0]:.1%} – {value[1]:.1%}" if isinstance(value, tuple) else f"{value:.1%}"


if __name__ == "__main__":
    if len(sys.argv) < 2 or not all(seed.isdigit() for seed in sys.argv[1].split(",")):
        sys.exit("found no seeds; they are numbers with commas; try: python benchmarks/seeds.py 1,2,3")
    main(sys.argv[1].split(","), sys.argv[2:])
