"""Tune models/base to tell labels apart, and measure it beside what needs no tuning, into models/classifier."""

import random
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

from foundling.config import section
from foundling.data.classification import Encoded, batches_per_epoch, encode_splits
from foundling.data.labelled import Labelled, labelled
from foundling.data.lineage import SHAPED_BY, require_base
from foundling.data.sources import META
from foundling.data.splits import TEST, TRAIN, VALIDATION
from foundling.data.unknown import count_unknown
from foundling.evaluation.baselines import predict_baselines
from foundling.evaluation.classification import Predictions, most_probable, probabilities
from foundling.evaluation.comparison import OURS, ZERO_SHOT, compare, summary, write_tables
from foundling.evaluation.forgetting import ForgettingProbe
from foundling.evaluation.zero_shot import zero_shot
from foundling.metrics import from_plain
from foundling.metrics.classify import BeforeAndAfter, Best, Classify, Texts, Training
from foundling.model import lora
from foundling.model.classifier import Classifier
from foundling.model.config import ClassifierConfig
from foundling.model.interface import LanguageModel
from foundling.settings import Job
from foundling.terminal import show
from foundling.text.tokenizer import Tokenizer
from foundling.training.classification import class_weights
from foundling.training.loop import Loop
from foundling.training.run import TrainingRun
from foundling.training.stopping import KeepBest
from foundling.training.trainable import choose_trainable
from foundling.weights import folder

BASE, TEXTS = Path("models/base"), Path("data/raw/classify")
TOKENS, BENCHMARKS = Path("data/tokens"), Path("data/raw/benchmarks")


def run(job: Job) -> float:
    """Train, compare, save, record; returns the validation loss, which a sweeper may minimise."""
    settings = section(job.config, "classify")
    training = TrainingRun(job, "classify", sections=(*SHAPED_BY, "classify"), inputs=[TEXTS / META], parent=BASE)
    require_base(BASE, job.recipe)
    trunk, tokenizer = folder.load(BASE)
    changes: Counter[str] = Counter()
    texts = labelled(TEXTS, settings, changes)
    count_unknown(tokenizer, chain(texts.labels, *map(texts.texts, texts.splits)), "classify", changes)
    rows, cut = encode_splits(tokenizer, texts, trunk.config.context, settings["keep"])
    probe = ForgettingProbe.read(TOKENS, BENCHMARKS, tokenizer, settings["forgetting"], section(job.config, "evaluate"))
    before = probe.measure(trunk.to(training.device).eval(), settings["batch_tokens"])
    others, left_out = _untuned(trunk, tokenizer, texts, settings)

    network = Classifier(ClassifierConfig(trunk.config, tuple(texts.labels), settings["keep"]), trunk)
    size = choose_trainable(network, settings["train"], settings["last"], job.settings.classify.lora, settings["seed"])
    best = _train(network, texts, rows, job, training)
    reached = best.restore()
    lora.merge(network.trunk)
    found = probabilities(network.to(training.device).eval(), rows[TEST].ids, settings["batch_tokens"])
    given = {OURS: most_probable(found), **others}
    after = probe.measure(network.trunk, settings["batch_tokens"])
    best_validation = from_plain(reached, Best, "validation")
    metrics = Classify(
        dataset=settings["dataset"]["name"],
        texts=Texts(**texts.counts, **{split: len(examples) for split, examples in texts.splits.items()}, cut=cut),
        changes=dict(changes),
        training=Training(
            train=settings["train"], parameters=size, steps=training.recorder.steps, best=best_validation
        ),
        models=compare(rows[TEST].labels, texts.labels, given),
        left_out=left_out,
        forgetting=BeforeAndAfter(before=before, after=after),
    )
    training.save_model("classifier", network.cpu(), tokenizer, reached)
    training.write_metrics(metrics)
    write_tables(training.results / "plots", texts.texts(TEST), rows[TEST].labels, texts.labels, found, given)
    training.log({"test/accuracy": metrics.models[OURS].accuracy})
    training.publish(BASE, "model")
    show(summary(metrics))
    return reached["val/loss"]


def _train(network: Classifier, texts: Labelled, rows: dict[str, Encoded], job: Job, training: TrainingRun) -> KeepBest:
    """Fit the classifier; returns the callback that has its best weights."""
    settings, parts = section(job.config, "classify"), job.settings.classify
    per_epoch = batches_per_epoch(len(rows[TRAIN].ids), settings["batch_size"])
    steps = settings["max_steps"] if settings["max_steps"] is not None else round(settings["epochs"] * per_epoch)
    if steps < 1:
        raise ValueError(
            f"found classify.epochs={settings['epochs']}, max_steps={settings['max_steps']}: no step; try 3"
        )
    batches = {name: settings[name] for name in ("batch_size", "bucket", "seed")}
    workers = job.settings.runtime.workers
    data = parts.data.build(rows[TRAIN], rows[VALIDATION], steps=steps, workers=workers, **batches)
    module = parts.module.build(
        network.train(),
        parts.optimizer.partial(),
        parts.schedule.build(max_steps=steps),
        head_rate=settings["head_rate"],
        language_loss=settings["language_loss"],
        label_smoothing=settings["label_smoothing"],
        class_weights=class_weights(settings["class_weights"], texts.labels, rows[TRAIN].labels),
    )
    best = KeepBest(network, settings["patience"])
    loop = Loop.of(parts, max_steps=steps, validate_every=parts.validate_every or -(-per_epoch // 2))
    training.fit(module, data, loop, [best])
    return best


def _untuned(
    trunk: LanguageModel, tokenizer: Tokenizer, texts: Labelled, settings: dict[str, Any]
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
