"""Raise a translator from sentence pairs, with a tokenizer of its own, and measure it, into models/translator."""

import json
import logging
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig

from foundling.artifacts import atomic_file, settle, write_json
from foundling.config import recipe, section
from foundling.costs import require_memory
from foundling.data.pairs import Pair, sentence_pairs
from foundling.data.splits import TEST, TRAIN, VALIDATION, choose
from foundling.data.translation import TranslationData, encode
from foundling.device import set_up
from foundling.evaluation.translation import NEAREST, bleu, looks, nearest, score, signatures, summary
from foundling.generation.beam import translate
from foundling.metrics import write_metrics
from foundling.model.config import TranslatorConfig
from foundling.model.translator import Translator
from foundling.scratch import begin
from foundling.settings import Job
from foundling.settings.training import BeamSearch
from foundling.terminal import show
from foundling.text.tokenizer import Tokenizer, train_bpe
from foundling.training.fit import fit
from foundling.training.loggers import finish, log_lineage, make_wandb
from foundling.training.recorder import Recorder
from foundling.training.translation import TranslationModule
from foundling.validation import build
from foundling.weights import folder
from foundling.weights.provenance import provenance, run_record

log = logging.getLogger(__name__)
PAIRS = Path("data/raw/train_translator")
PLACES = {"train.csv": "plots/train_translator.csv", "validation.csv": "plots/train_translator_validation.csv"}


def run(job: Job) -> float:
    """Train, translate, save, record; returns the BLEU of beam search, which a sweeper may maximise."""
    config, out = job.config, job.out
    began = time.perf_counter()
    asked, settings, runtime = recipe(config), section(config, "train_translator"), section(config, "runtime")
    device = set_up(runtime)
    search = job.settings.train_translator.test
    changes: Counter[str] = Counter()
    pairs = sentence_pairs(PAIRS, settings, changes)
    texts = (text for pair in pairs[TRAIN] for text in (pair.source, pair.target))
    tokenizer = train_bpe(texts, settings["vocab_size"])
    values = {"vocab_size": tokenizer.vocab_size, **settings["model"]}
    shape = build(TranslatorConfig, values, "train_translator.model")
    require_memory(12 * shape.n_embd**2 * (shape.n_encoder + shape.n_decoder) + shape.vocab_size * shape.n_embd)
    torch.manual_seed(settings["seed"])
    network = Translator(shape)
    origin = provenance({"train_translator": asked["train_translator"]}, [PAIRS / "meta.json"], None)
    work = begin("train_translator", origin)
    logger = make_wandb(runtime["logger"], asked, "train_translator", work.folder)
    recorder, reached = _train(network, tokenizer, pairs, config, search, work.folder, logger, changes)
    trained = time.perf_counter()
    tested = choose(pairs[TEST], settings["test"]["limit"], settings["seed"])
    network.to(device)
    metrics, rows = _measure(network, tokenizer, pairs[TRAIN], tested, search)
    metrics = {
        "dataset": settings["dataset"]["name"],
        "pairs": {split: len(those) for split, those in pairs.items()} | {"tested": len(tested)},
        "changes": dict(+changes),
        "training": reached,
        **metrics,
    }
    shown = [looks(network, tokenizer, row["source"], row["beam"]) for row in rows[: settings["test"]["looks"]]]
    made = out / "models/translator"
    folder.save(made, network.cpu(), tokenizer, origin | {"metrics": reached} | recorder.left_out)
    settle(work.folder, out, PLACES)
    write_json(out / "metrics/train_translator.json", metrics)
    for name, lines in (("translations", rows), ("cross_attention", shown)):
        with atomic_file(out / f"plots/{name}.jsonl") as file:
            file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    log_lineage(logger, made, "model", "translator", PAIRS / "meta.json", "pairs", "pairs")
    seconds = {"training": recorder.seconds, "trained": trained - began, "whole": time.perf_counter() - began}
    record = run_record(made / folder.WEIGHTS, seconds, recorder.tokens_per_second, device, finish(logger))
    write_metrics(out / "metrics/train_translator_run.json", record)
    work.done()
    show(summary(metrics))
    return float(metrics["test"]["beam"]["bleu"]["score"])


def _train(
    network: Translator,
    tokenizer: Tokenizer,
    pairs: dict[str, list[Pair]],
    config: DictConfig,
    search: BeamSearch,
    scratch: Path,
    logger: Any,
    changes: Counter[str],
) -> tuple[Recorder, dict[str, float]]:
    """Fit the network in place; returns the recorder and what was reached. `changes` counts pairs that are too long."""
    settings, runtime = section(config, "train_translator"), section(config, "runtime")
    context, steps = network.config.context, settings["max_steps"]
    rows = {split: encode(tokenizer, pairs[split], context, split, changes) for split in (TRAIN, VALIDATION)}
    batches = {name: settings[name] for name in ("batch_tokens", "seed")}
    data = TranslationData(rows[TRAIN], rows[VALIDATION], steps=steps, workers=runtime["workers"], **batches)
    held_out = pairs[VALIDATION][: settings["bleu_sentences"]]
    sources, references = [pair.source for pair in held_out], [pair.target for pair in held_out]
    greedy = replace(search, beam=1)
    module = TranslationModule(
        network.train(),
        instantiate(config.train_translator.optimizer, _partial_=True),
        instantiate(config.train_translator.schedule, max_steps=steps),
        label_smoothing=settings["label_smoothing"],
        bleu=lambda network: bleu(translate(network, tokenizer, sources, greedy)[0], references),
    )
    per_step = data.tokens_per_step
    log.info(
        f"train_translator: {network.parameter_count():,} parameters, vocabulary of {tokenizer.vocab_size:,}, "
        f"{steps:,} steps of about {per_step:,} tokens, {steps / data.batches_per_epoch:.1f} epochs"
    )
    recorder = fit(module, data, settings | {"accumulate": 1}, runtime, scratch, per_step, [], logger)
    network.eval()
    reached = {name: value for name, value in module.validation.items() if name != "step"}
    counts = {"parameters": network.parameter_count(), "steps": steps, "epochs": steps / data.batches_per_epoch}
    return recorder, reached | counts | {"tokens": steps * per_step}


def _measure(
    network: Translator, tokenizer: Tokenizer, train: list[Pair], test: list[Pair], search: BeamSearch
) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """The test sentences translated by beam search, by the likeliest token and by memory: metrics, and their rows."""
    sources, references = [pair.source for pair in test], [pair.target for pair in test]
    found = {"beam": translate(network, tokenizer, sources, search)[0]}
    found["greedy"] = translate(network, tokenizer, sources, replace(search, beam=1))[0]
    found[NEAREST] = nearest(train, sources)
    rows = [
        {"source": source, "reference": reference, **{name: texts[i] for name, texts in found.items()}}
        for i, (source, reference) in enumerate(zip(sources, references, strict=True))
    ]
    tested = {name: score(texts, references) for name, texts in found.items()}
    return {
        "test": tested,
        "search": {name: getattr(search, name) for name in ("beam", "length_penalty", "extra")},
        "signatures": signatures(references),
    }, rows
