"""Measure Foundling and its peers by turns, each in a process of its own on one core: `make bench`.

python -m benchmarks.speed [--quick] [--rounds 3] [--only "train char" …] [--to FILE.json]

A round runs every contender once. The results are written to FILE.json, where the figures of benchmarks that
are not measured now are kept, and with --page PAGE as a table into a page of the documentation.
"""

import argparse
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

from benchmarks.speed import machine, ours, peers
from benchmarks.speed.pinned import cores, run
from benchmarks.speed.results import OURS, Results, insert, table
from benchmarks.speed.sizes import SIZES, TRAINED, Size, quick

ROOT = Path(__file__).parents[2]
PARTS = "around the model"
QUICK = ("train char", "generate small", PARTS)
GENERATORS = ("nanoGPT", "LitGPT", "transformers", "llama.cpp")
TRAINERS = GENERATORS[:3]
Contenders = dict[str, Callable[[], dict[str, float]]]


def contenders(benchmark: str, size: Size, found: list[str], core: int | None, folder: Path) -> Contenders:
    """How each contender of a benchmark is run for one round; prepares what they need."""
    place = folder / benchmark.replace(" ", "-")
    if benchmark.startswith("train"):
        project = ours.project(place, size)
        mine: Contenders = {OURS: partial(ours.train, project, size, core, [])}
        return mine | {p: partial(peers.train, p, size, core, folder) for p in TRAINERS if p in found}
    place.mkdir()
    run([sys.executable, "-m", "benchmarks.speed.models", str(place), json.dumps(asdict(size))], None, ROOT)
    gguf = next((place / "gguf").glob("*.gguf"))
    mine = {OURS: partial(ours.generate, place / "model", size, core)}
    return mine | {p: partial(peers.generate, p, size, core, gguf) for p in GENERATORS if p in found}


def measure_parts(results: Results, core: int | None) -> None:
    """Data loading, checkpoint and evaluation, compared with the plain ways."""
    command = [sys.executable, "-m", "benchmarks.speed.parts", json.dumps(asdict(TRAINED["small"]))]
    for measure, ways in json.loads(run(command, core, ROOT).output).items():
        for way, value in ways.items():
            results.add(PARTS, way, {measure: value})
    started = run([sys.executable, "-c", "import time, torch, lightning; print(time.time())"], core)
    results.add(PARTS, "plain", {"s to import torch and lightning": float(started.output) - started.started})


def watched_core() -> int | None:
    """The core to measure on, the last one; this process, which only watches, leaves it to the others."""
    free = cores()
    if len(free) > 1:
        os.sched_setaffinity(0, set(free[:-1]))
    return free[-1] if free else None


def slug(name: str) -> str:
    """A processor's name as that of a file."""
    return "-".join(re.findall(r"[a-z0-9]+", name.lower()))


def main() -> None:
    """Measure what the options name."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help=f"one short round of {', '.join(QUICK)}")
    parser.add_argument("--rounds", type=int, default=None, help="3, or 1 with --quick")
    parser.add_argument("--only", nargs="+", choices=[*SIZES, PARTS], default=None, metavar="BENCHMARK")
    parser.add_argument("--to", type=Path, default=None, help="benchmarks/results/PROCESSOR.json")
    parser.add_argument("--page", type=Path, default=None, help="a page with the two marks of the table")
    options = parser.parse_args()
    chosen = options.only or (QUICK if options.quick else [*SIZES, PARTS])
    rounds = options.rounds or (1 if options.quick else 3)

    core = watched_core()
    found, missing = peers.available()
    for peer in missing:
        print(f"{peer.name} is skipped: {peer.why}", file=sys.stderr)
    results = Results(machine.describe(), machine.limits(core))
    to = options.to or ROOT / f"benchmarks/results/{slug(results.machine['processor'])}.json"
    if to.is_file():
        results.measured = Results.read(to).without(set(chosen)).measured
    with tempfile.TemporaryDirectory() as folder:
        for benchmark in chosen:
            if benchmark == PARTS:
                for _ in range(rounds):
                    measure_parts(results, core)
                continue
            size = quick(SIZES[benchmark]) if options.quick else SIZES[benchmark]
            runs = contenders(benchmark, size, found, core, Path(folder))
            for number in range(rounds):
                for name, measured in runs.items():
                    values = measured()
                    results.add(benchmark, name, values)
                    shown = ", ".join(f"{value:,.4g} {measure}" for measure, value in values.items())
                    print(f"{benchmark}, round {number + 1}: {name} {shown}", file=sys.stderr)
            results.write(to)
    results.write(to)
    print(table(results))
    if options.page:
        insert(options.page, table(results))


if __name__ == "__main__":
    main()
