"""Train the base model on data/tokens by next-token prediction, into models/base."""

import logging
from pathlib import Path

from foundling.data.lineage import SHAPED_BY, require
from foundling.data.shards import open_tokens
from foundling.metrics.pretrain import Pretrain
from foundling.settings import Job
from foundling.text.tokenizer import Tokenizer
from foundling.training import budget
from foundling.training.callbacks import Samples, Snapshots, log_spaced
from foundling.training.module import Loop
from foundling.training.run import TrainingRun
from foundling.weights.model_types import from_settings
from foundling.weights.start import SCRATCH, start

log = logging.getLogger(__name__)
TOKENS, TOKENIZER = Path("data/tokens"), Path("data/tokenizer")
SAMPLES = "training_samples.jsonl"


def run(job: Job) -> float:
    """Train, save, record; returns the validation loss, which a sweeper may minimize."""
    settings, runtime = job.settings.pretrain, job.settings.runtime
    parent = None if settings.init_from == SCRATCH else Path(settings.init_from)
    inputs = [TOKENS / "meta.json", TOKENIZER]
    training = TrainingRun(job, "pretrain", sections=SHAPED_BY, inputs=inputs, parent=parent)
    tokenizer = Tokenizer.load(TOKENIZER)
    tokens = open_tokens(TOKENS, tokenizer)
    require(
        tokens.meta.made_with, job.recipe, str(TOKENS), "run `dvc repro tokenize` first, or drop that setting"
    )
    shape, make = from_settings(job.settings.model, tokenizer.vocab_size)
    network = start(settings.init_from, shape, tokenizer, settings.seed, make)
    data = settings.data.build(
        tokens,
        network.config.context,
        batch_size=settings.batch_size,
        steps=settings.max_steps,
        seed=settings.seed,
        workers=runtime.workers,
        end_of_text=tokenizer.end_of_text if settings.align else None,
        validation_batch_size=max(1, settings.batch_size // settings.accumulate),
    )
    optimizer = settings.optimizer.partial()
    schedule = settings.schedule.build(max_steps=settings.max_steps)
    module = settings.module.build(network, optimizer, schedule, validation_bytes=data.validation_bytes)
    parameters, per_step = network.parameter_count(), data.tokens_per_step
    log.info(f"pretrain: {parameters:,} parameters, {settings.max_steps:,} steps of {per_step:,} tokens")
    budget.warn_of_memory(network, settings, runtime, training.device)
    steps = log_spaced(settings.snapshots, settings.max_steps)
    snapshots = Snapshots(training.scratch / "snapshots", network, steps, per_step)
    samples = Samples(
        training.scratch / SAMPLES, network, tokenizer, settings.sample, settings.seed, per_step
    )
    loop = Loop(settings, settings.max_steps, settings.validate_every, settings.accumulate)
    time_budget = budget.TimeBudget(runtime.budget_hours, settings.max_steps)
    measures = training.fit(module, data, loop, [time_budget, snapshots, samples])

    training.save_model("base", network, tokenizer, measures)
    training.write_metrics(Pretrain(**measures, tokens=settings.max_steps * per_step, parameters=parameters))
    places = {
        "snapshots": "models/snapshots",
        "validation.csv": "plots/validation.csv",
        SAMPLES: f"plots/{SAMPLES}",
    }
    training.publish(places)
    reached = f"val/loss {measures['val/loss']:.4f} after {training.seconds['whole']:.0f} s"
    log.info(f"pretrain: {reached} -> {job.out / 'models/base'}")
    return measures["val/loss"]
