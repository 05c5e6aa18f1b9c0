"""Evaluate models/base: held-out loss, benchmark accuracy (also of its snapshots), and generated samples."""

from dataclasses import replace
from pathlib import Path

from foundling.artifacts import write_lines
from foundling.data.lineage import require_base
from foundling.data.shards import open_tokens
from foundling.data.sources import rows
from foundling.device import set_up
from foundling.evaluation.benchmarks import read_benchmark
from foundling.evaluation.emergence import curve_points, write_curve
from foundling.evaluation.few_shot import few_shot
from foundling.evaluation.items import write_items
from foundling.evaluation.multiple_choice import MultipleChoice
from foundling.evaluation.perplexity import held_out_metrics
from foundling.evaluation.samples import samples
from foundling.evaluation.summary import summary
from foundling.metrics import read_metrics, write_metrics
from foundling.metrics.evaluate import Evaluate, Snapshot
from foundling.settings import Job
from foundling.terminal import show
from foundling.tracking import logged
from foundling.weights import folder

BASE, SNAPSHOTS = Path("models/base"), Path("models/snapshots")
TOKENS, BENCHMARKS = Path("data/tokens"), Path("data/raw/benchmarks")


@logged
def run(job: Job) -> None:
    """Score the base and its snapshots on the same questions; write metrics, answers, curve and samples."""
    settings = job.settings.evaluate
    batch_tokens, seed = settings.batch_tokens, settings.seed
    device = set_up(job.settings.runtime)
    require_base(BASE, job.recipe)
    model, tokenizer = folder.load(BASE)
    model.to(device)
    texts = {shard.name: (shard.ids, shard.bytes) for shard in open_tokens(TOKENS, tokenizer).validation}
    benchmarks = {}
    for name, benchmark in settings.benchmarks.items():
        records = (row.record for row in rows(BENCHMARKS / name, benchmark))
        benchmarks[name] = read_benchmark(records, benchmark, settings.limit, seed)
    held_out = held_out_metrics(model, texts, batch_tokens)
    results = {
        name: items.score(model, tokenizer, batch_tokens=batch_tokens, seed=seed, control=settings.control)
        for name, items in benchmarks.items()
    }
    scores = {name: result.scores for name, result in results.items()}
    shots = settings.few_shot
    asked = benchmarks.get(shots.benchmark) if shots else None
    if shots and isinstance(asked, MultipleChoice):
        chosen = {"examples": shots.examples, "count": shots.questions}
        shown = few_shot(asked, model, tokenizer, **chosen, batch_tokens=batch_tokens, seed=seed)
        scores[shots.benchmark] = replace(scores[shots.benchmark], few_shot=shown or None)
    metrics = Evaluate(held_out=held_out, benchmarks=scores)
    curve = []
    index = SNAPSHOTS / "index.json"
    for snapshot in read_metrics(index, tuple[Snapshot, ...]) if settings.snapshots and benchmarks else ():
        earlier = folder.load_model(SNAPSHOTS / snapshot.folder).to(device)
        loss = held_out_metrics(earlier, texts, batch_tokens).val_loss
        for name, items in benchmarks.items():
            result = items.score(earlier, tokenizer, batch_tokens=batch_tokens, seed=seed)
            curve += curve_points(snapshot, loss, name, result.scores)
    written = samples(model, tokenizer, settings.samples, seed)
    write_metrics(job.out / "metrics/evaluate.json", metrics)
    write_items(job.out / "plots/benchmark_answers.csv", results)
    write_curve(job.out / "plots/emergence.csv", curve)
    write_lines(job.out / "plots/samples.jsonl", written)
    show(summary(metrics))
