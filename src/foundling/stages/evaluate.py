"""Measure models/base: held-out loss, accuracy on benchmarks along its training, and samples of its writing."""

import json
from pathlib import Path

from foundling.artifacts import atomic_file, read_json
from foundling.data.lineage import require_base
from foundling.data.shards import open_tokens
from foundling.data.sources import records
from foundling.device import set_up
from foundling.evaluation.benchmarks import read_benchmark
from foundling.evaluation.emergence import curve_rows, write_curve
from foundling.evaluation.perplexity import held_out_metrics
from foundling.evaluation.samples import samples
from foundling.evaluation.summary import summary
from foundling.metrics import write_metrics
from foundling.metrics.evaluate import Evaluate
from foundling.settings import Job
from foundling.terminal import show
from foundling.weights import folder

BASE, SNAPSHOTS = Path("models/base"), Path("models/snapshots")
TOKENS, BENCHMARKS = Path("data/tokens"), Path("data/raw/benchmarks")


def run(job: Job) -> None:
    """Score the base model and its snapshots on the same questions; write metrics, emergence curve and samples."""
    settings = job.settings.evaluate
    batch_tokens, seed = settings.batch_tokens, settings.seed
    device = set_up(job.settings.runtime)
    require_base(BASE, job.recipe)
    model, tokenizer = folder.load(BASE)
    model.to(device)
    texts = {shard.name: (shard.ids, shard.bytes) for shard in open_tokens(TOKENS, tokenizer).validation}
    benchmarks = {}
    for name, benchmark in settings.benchmarks.items():
        rows = (record for _, record in records(BENCHMARKS / name, benchmark))
        benchmarks[name] = read_benchmark(rows, benchmark, settings.limit, seed)
    metrics = Evaluate(
        held_out=held_out_metrics(model, texts, batch_tokens),
        benchmarks={
            name: items.score(model, tokenizer, batch_tokens=batch_tokens, seed=seed, control=settings.control)
            for name, items in benchmarks.items()
        },
    )
    curve = []
    for entry in read_json(SNAPSHOTS / "index.json", list) if settings.snapshots and benchmarks else []:
        snapshot = folder.load_model(SNAPSHOTS / entry["folder"]).to(device)
        loss = held_out_metrics(snapshot, texts, batch_tokens).val_loss
        for name, items in benchmarks.items():
            scores = items.score(snapshot, tokenizer, batch_tokens=batch_tokens, seed=seed)
            curve += curve_rows(entry["step"], entry["tokens"], loss, name, scores)
    written = samples(model, tokenizer, settings.samples, seed)
    write_metrics(job.out / "metrics/evaluate.json", metrics)
    write_curve(job.out / "plots/emergence.csv", curve)
    with atomic_file(job.out / "plots/samples.jsonl") as file:
        file.writelines(json.dumps(sample, ensure_ascii=False) + "\n" for sample in written)
    show(summary(metrics))
