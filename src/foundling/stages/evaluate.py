"""Measure models/base: held-out loss, benchmarks along its training, samples of its writing."""

import json
import logging
from pathlib import Path

from foundling.artifacts import atomic_file, read_json, write_json
from foundling.config import recipe, section
from foundling.data.lineage import require_base
from foundling.data.shards import open_tokens
from foundling.data.sources import records
from foundling.device import set_up
from foundling.evaluation.benchmarks import read_items, score
from foundling.evaluation.emergence import curve_rows, write_curve
from foundling.evaluation.perplexity import held_out_metrics
from foundling.evaluation.samples import samples
from foundling.evaluation.summary import summary
from foundling.settings import Job
from foundling.terminal import show
from foundling.weights import folder

log = logging.getLogger(__name__)
BASE, SNAPSHOTS = Path("models/base"), Path("models/snapshots")
TOKENS, BENCHMARKS = Path("data/tokens"), Path("data/raw/benchmarks")


def run(job: Job) -> None:
    """Score the base model and its snapshots on the same questions; write metrics, emergence curve and samples."""
    config, out = job.config, job.out
    device = set_up(config.runtime)
    require_base(BASE, recipe(config))
    settings = section(config, "evaluate")
    batch_tokens, seed = settings["batch_tokens"], settings["seed"]
    model, tokenizer = folder.load(BASE)
    model.to(device)
    texts = {s.name: (s.ids, s.bytes) for s in open_tokens(TOKENS, tokenizer).validation}
    items = {
        name: read_items((r for _, r in records(BENCHMARKS / name, benchmark)), benchmark, settings["limit"], seed)
        for name, benchmark in settings["benchmarks"].items()
    }
    metrics = {"held_out": held_out_metrics(model, texts, batch_tokens), "benchmarks": {}}
    for name, benchmark in settings["benchmarks"].items():
        metrics["benchmarks"][name] = score(
            model, tokenizer, items[name], benchmark, control=settings["control"], batch_tokens=batch_tokens, seed=seed
        )
    rows = []
    for snapshot in read_json(SNAPSHOTS / "index.json", list) if settings["snapshots"] and items else []:
        young = folder.load_model(SNAPSHOTS / snapshot["folder"]).to(device)
        place = snapshot | {"val_loss": held_out_metrics(young, texts, batch_tokens)["val/loss"]}
        for name, benchmark in settings["benchmarks"].items():
            found = score(young, tokenizer, items[name], benchmark, control=False, batch_tokens=batch_tokens, seed=seed)
            rows += curve_rows(place, name, found)
    written = samples(model, tokenizer, **settings["samples"], seed=seed)
    write_json(out / "metrics/evaluate.json", metrics)
    write_curve(out / "plots/emergence.csv", rows)
    with atomic_file(out / "plots/samples.jsonl") as file:
        file.writelines(json.dumps(sample, ensure_ascii=False) + "\n" for sample in written)
    show(summary(metrics))
