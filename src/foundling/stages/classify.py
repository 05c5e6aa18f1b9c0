"""Tune models/base to tell labels apart, and measure it beside what needs no tuning, into models/classifier."""

import random
import time
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig

from foundling.artifacts import settle
from foundling.config import recipe, section
from foundling.data.classification import ClassificationData, Encoded, batches_per_epoch, encode_splits
from foundling.data.labelled import Labelled, labelled
from foundling.data.lineage import require_base, shaping
from foundling.data.sources import META
from foundling.data.splits import TEST, TRAIN, VALIDATION
from foundling.data.unknown import count_unknown
from foundling.device import set_up
from foundling.evaluation.baselines import predict_baselines
from foundling.evaluation.classification import Predictions, most_probable, probabilities
from foundling.evaluation.comparison import OURS, ZERO_SHOT, compare, summary, write_tables
from foundling.evaluation.forgetting import ForgettingProbe
from foundling.evaluation.zero_shot import zero_shot
from foundling.metrics import from_plain, write_metrics
from foundling.metrics.classify import BeforeAndAfter, Best, Classify, Texts, Training
from foundling.model import lora
from foundling.model.classifier import Classifier
from foundling.model.config import ClassifierConfig
from foundling.model.gpt import GPT
from foundling.scratch import begin
from foundling.settings import Job
from foundling.terminal import show
from foundling.text.tokenizer import Tokenizer
from foundling.training.classification import ClassificationModule, class_weights
from foundling.training.fit import fit
from foundling.training.loggers import finish, log_lineage, make_wandb
from foundling.training.recorder import Recorder
from foundling.training.stopping import KeepBest
from foundling.training.trainable import choose_trainable
from foundling.weights import folder
from foundling.weights.provenance import provenance, run_record

BASE, TEXTS = Path("models/base"), Path("data/raw/classify")
TOKENS, BENCHMARKS = Path("data/tokens"), Path("data/raw/benchmarks")
PLACES = {"train.csv": "plots/classify.csv", "validation.csv": "plots/classify_validation.csv"}


def run(job: Job) -> float:
    """Train, compare, save, record; returns the validation loss, which a sweeper may minimise."""
    config, out = job.config, job.out
    began = time.perf_counter()
    asked, settings, runtime = recipe(config), section(config, "classify"), section(config, "runtime")
    device = set_up(runtime)
    require_base(BASE, asked)
    trunk, tokenizer = folder.load(BASE)
    changes: Counter[str] = Counter()
    texts = labelled(TEXTS, settings, changes)
    count_unknown(tokenizer, chain(texts.labels, *map(texts.texts, texts.splits)), "classify", changes)
    rows, cut = encode_splits(tokenizer, texts, trunk.config.context, settings["keep"])
    origin = provenance(shaping(asked, "classify"), [TEXTS / META], BASE)
    work = begin("classify", origin)
    probe = ForgettingProbe.read(TOKENS, BENCHMARKS, tokenizer, settings["forgetting"], section(config, "evaluate"))
    before = probe.measure(trunk.to(device).eval(), settings["batch_tokens"])
    others, left_out = _untuned(trunk, tokenizer, texts, settings)

    network = Classifier(ClassifierConfig(trunk.config, tuple(texts.labels), settings["keep"]), trunk)
    size = choose_trainable(network, settings["train"], settings["last"], settings["lora"], settings["seed"])
    logger = make_wandb(runtime["logger"], asked, "classify", work.folder)
    best, recorder = _train(network, texts, rows, config, work.folder, logger)
    reached = best.restore()
    lora.merge(network.trunk)
    found = probabilities(network.to(device).eval(), rows[TEST].ids, settings["batch_tokens"])
    given = {OURS: most_probable(found), **others}
    after = probe.measure(network.trunk, settings["batch_tokens"])
    best_validation = from_plain(reached, Best, "validation")
    metrics = Classify(
        dataset=settings["dataset"]["name"],
        texts=Texts(**texts.counts, **{split: len(examples) for split, examples in texts.splits.items()}, cut=cut),
        changes=dict(changes),
        training=Training(train=settings["train"], parameters=size, steps=recorder.steps, best=best_validation),
        models=compare(rows[TEST].labels, texts.labels, given),
        left_out=left_out,
        forgetting=BeforeAndAfter(before=before, after=after),
    )
    made = out / "models/classifier"
    folder.save(made, network.cpu(), tokenizer, origin | {"metrics": reached} | recorder.left_out)
    settle(work.folder, out, PLACES)
    write_metrics(out / "metrics/classify.json", metrics)
    write_tables(out / "plots", texts.texts(TEST), rows[TEST].labels, texts.labels, found, given)
    if logger is not None:
        logger.log_metrics({"test/accuracy": metrics.models[OURS].accuracy})
    log_lineage(logger, made, "model", "classifier", BASE, "model", "base")
    seconds = {"training": recorder.seconds, "whole": time.perf_counter() - began}
    record = run_record(made / folder.WEIGHTS, seconds, recorder.tokens_per_second, device, finish(logger))
    write_metrics(out / "metrics/classify_run.json", record)
    work.done()
    show(summary(metrics))
    return reached["val/loss"]


def _train(
    network: Classifier, texts: Labelled, rows: dict[str, Encoded], config: DictConfig, scratch: Path, logger: Any
) -> tuple[KeepBest, Recorder]:
    """Fit the classifier; its curves grow in `scratch`."""
    settings, runtime = section(config, "classify"), section(config, "runtime")
    per_epoch = batches_per_epoch(len(rows[TRAIN].ids), settings["batch_size"])
    steps = settings["max_steps"] if settings["max_steps"] is not None else round(settings["epochs"] * per_epoch)
    if steps < 1:
        raise ValueError(
            f"found classify.epochs={settings['epochs']}, max_steps={settings['max_steps']}: no step; try 3"
        )
    batches = {name: settings[name] for name in ("batch_size", "bucket", "seed")}
    data = ClassificationData(rows[TRAIN], rows[VALIDATION], steps=steps, workers=runtime["workers"], **batches)
    module = ClassificationModule(
        network.train(),
        instantiate(config.classify.optimizer, _partial_=True),
        instantiate(config.classify.schedule, max_steps=steps),
        head_rate=settings["head_rate"],
        language_loss=settings["language_loss"],
        label_smoothing=settings["label_smoothing"],
        class_weights=class_weights(settings["class_weights"], texts.labels, rows[TRAIN].labels),
    )
    best = KeepBest(network, settings["patience"])
    how = settings | {
        "max_steps": steps,
        "accumulate": 1,
        "validate_every": settings["validate_every"] or -(-per_epoch // 2),
    }
    return best, fit(module, data, how, runtime, scratch, data.tokens_per_step, [best], logger)


def _untuned(
    trunk: GPT, tokenizer: Tokenizer, texts: Labelled, settings: dict[str, Any]
) -> tuple[dict[str, Predictions], dict[str, str]]:
    """What the baselines and the base itself answer about the test texts, and why a baseline does not."""
    test, seed, ask = texts.texts(TEST), settings["seed"], settings["zero_shot"]
    given, left_out = predict_baselines(texts.texts(TRAIN), texts.ids(TRAIN), test, seed, settings["baselines"])
    count = len(test) if ask["limit"] is None else min(ask["limit"], len(test))
    if count:
        places = sorted(random.Random(seed).sample(range(len(test)), count))
        ask = {"template": ask["template"], "batch_tokens": settings["batch_tokens"]}
        given[ZERO_SHOT] = zero_shot(trunk, tokenizer, test, places, texts.labels, **ask)
    return given, left_out
