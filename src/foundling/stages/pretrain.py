"""Raise the base model on data/tokens by next-token prediction, into models/base."""

import logging
import time
from pathlib import Path

from hydra.utils import instantiate

from foundling.artifacts import settle
from foundling.config import recipe, section
from foundling.data.language import LanguageData
from foundling.data.lineage import require, shaping
from foundling.data.shards import open_tokens
from foundling.device import set_up
from foundling.metrics import write_metrics
from foundling.metrics.pretrain import Pretrain
from foundling.model.config import GPTConfig
from foundling.scratch import begin
from foundling.settings import Job
from foundling.text.tokenizer import Tokenizer
from foundling.training import budget
from foundling.training.fit import fit
from foundling.training.keepsakes import Samples, Snapshots, log_spaced
from foundling.training.language import LanguageModule
from foundling.training.loggers import finish, log_lineage, make_wandb
from foundling.validation import build
from foundling.weights import folder
from foundling.weights.provenance import provenance, run_record
from foundling.weights.start import SCRATCH, start

log = logging.getLogger(__name__)
TOKENS, TOKENIZER = Path("data/tokens"), Path("data/tokenizer")
SAMPLES = "training_samples.jsonl"
PLACES = {
    "snapshots": "models/snapshots",
    "train.csv": "plots/pretrain.csv",
    "validation.csv": "plots/validation.csv",
    SAMPLES: "plots/training_samples.jsonl",
}


def run(job: Job) -> float:
    """Train, save, record; returns the validation loss, which a sweeper may minimise."""
    config, out = job.config, job.out
    began = time.perf_counter()
    asked, settings, runtime = recipe(config), section(config, "pretrain"), section(config, "runtime")
    device = set_up(runtime)
    tokenizer = Tokenizer.load(TOKENIZER)
    tokens = open_tokens(TOKENS, tokenizer)
    require(tokens.meta["made_with"], asked, str(TOKENS), "run `dvc repro tokenize` first, or drop that setting")
    shape = build(GPTConfig, {"vocab_size": tokenizer.vocab_size, **asked["model"]}, "model")
    network = start(settings["init_from"], shape, tokenizer, settings["seed"])
    batch = {name: settings[name] for name in ("batch_size", "seed")}
    batch["validation_batch_size"] = max(1, settings["batch_size"] // settings["accumulate"])
    batch["end_of_text"] = tokenizer.end_of_text if settings["align"] else None
    steps = settings["max_steps"]
    data = LanguageData(tokens, network.config.context, steps=steps, workers=runtime["workers"], **batch)
    optimizer = instantiate(config.pretrain.optimizer, _partial_=True)
    schedule = instantiate(config.pretrain.schedule, max_steps=steps)
    module = LanguageModule(network, optimizer, schedule, data.validation_bytes)
    per_step = settings["batch_size"] * network.config.context
    log.info(f"pretrain: {network.parameter_count():,} parameters, {steps:,} steps of {per_step:,} tokens")
    budget.warn(network, optimizer, settings, runtime, device)
    parent = None if settings["init_from"] == SCRATCH else Path(settings["init_from"])
    origin = provenance(shaping(asked), [TOKENS / "meta.json", TOKENIZER], parent)
    work = begin("pretrain", origin)
    keepsakes = [
        Snapshots(work.folder / "snapshots", network, log_spaced(settings["snapshots"], steps), per_step),
        Samples(work.folder / SAMPLES, network, tokenizer, settings["sample"], settings["seed"], per_step),
    ]
    logger = make_wandb(runtime["logger"], asked, "pretrain", work.folder)
    recorder = fit(module, data, settings, runtime, work.folder, per_step, keepsakes, logger)

    reached = {name: value for name, value in module.validation.items() if name != "step"}
    folder.save(out / "models/base", network, tokenizer, origin | {"metrics": reached} | recorder.left_out)
    settle(work.folder, out, PLACES)
    metrics = reached | {"tokens": steps * per_step, "parameters": network.parameter_count()}
    write_metrics(out / "metrics/pretrain.json", Pretrain(**metrics))
    log_lineage(logger, out / "models/base", "model", "base", TOKENS / "meta.json", "tokens", "tokens")
    seconds = {"training": recorder.seconds, "whole": time.perf_counter() - began}
    weights = out / "models/base" / folder.WEIGHTS
    deterministic, microbatches = runtime["deterministic"], module.microbatches
    record = run_record(
        weights, seconds, recorder.tokens_per_second, device, finish(logger), deterministic, microbatches
    )
    write_metrics(out / "metrics/pretrain_run.json", record)
    work.done()
    log.info(f"pretrain: val/loss {reached['val/loss']:.4f} after {seconds['whole']:.0f} s -> {out / 'models/base'}")
    return reached["val/loss"]
