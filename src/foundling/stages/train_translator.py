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

from foundling.artifacts import atomic_file, settle
from foundling.config import recipe, section
from foundling.costs import require_memory
from foundling.data.pairs import Pair, sentence_pairs
from foundling.data.splits import TEST, TRAIN, VALIDATION, choose
from foundling.data.translation import TranslationData, encode
from foundling.device import set_up
from foundling.evaluation.translation import Scorer, cross_attention, nearest, summary
from foundling.generation.beam import translate
from foundling.metrics import to_plain, write_metrics
from foundling.metrics.train_translator import Method, Pairs, Scores, Search, Signatures, Training, TrainTranslator
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
    scores, signatures, rows = _test(network, tokenizer, pairs[TRAIN], tested, search)
    metrics = TrainTranslator(
        dataset=settings["dataset"]["name"],
        pairs=Pairs(**{name: len(split) for name, split in pairs.items()}, tested=len(tested)),
        changes=dict(+changes),
        training=reached,
        test=scores,
        search=Search(beam=search.beam, length_penalty=search.length_penalty, extra=search.extra),
        signatures=signatures,
    )
    shown = [cross_attention(network, tokenizer, row["source"], row["beam"]) for row in rows[: search.looks]]
    made = out / "models/translator"
    folder.save(made, network.cpu(), tokenizer, origin | {"metrics": to_plain(reached)} | recorder.left_out)
    settle(work.folder, out, PLACES)
    write_metrics(out / "metrics/train_translator.json", metrics)
    for name, lines in (("translations", rows), ("cross_attention", shown)):
        with atomic_file(out / f"plots/{name}.jsonl") as file:
            file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    log_lineage(logger, made, "model", "translator", PAIRS / "meta.json", "pairs", "pairs")
    seconds = {"training": recorder.seconds, "trained": trained - began, "whole": time.perf_counter() - began}
    record = run_record(made / folder.WEIGHTS, seconds, recorder.tokens_per_second, device, finish(logger))
    write_metrics(out / "metrics/train_translator_run.json", record)
    work.done()
    show(summary(metrics))
    return metrics.test["beam"].bleu.score


def _train(
    network: Translator,
    tokenizer: Tokenizer,
    pairs: dict[str, list[Pair]],
    config: DictConfig,
    search: BeamSearch,
    scratch: Path,
    logger: Any,
    changes: Counter[str],
) -> tuple[Recorder, Training]:
    """Fit the network in place; returns the recorder and what was reached. `changes` counts pairs that are too long."""
    settings, runtime = section(config, "train_translator"), section(config, "runtime")
    context, steps = network.config.context, settings["max_steps"]
    rows = {split: encode(tokenizer, pairs[split], context, split, changes) for split in (TRAIN, VALIDATION)}
    batches = {name: settings[name] for name in ("batch_tokens", "seed")}
    data = TranslationData(rows[TRAIN], rows[VALIDATION], steps=steps, workers=runtime["workers"], **batches)
    held_out = pairs[VALIDATION][: settings["bleu_sentences"]]
    sources, scorer = [pair.source for pair in held_out], Scorer([pair.target for pair in held_out])
    greedy = replace(search, beam=1)
    module = TranslationModule(
        network.train(),
        instantiate(config.train_translator.optimizer, _partial_=True),
        instantiate(config.train_translator.schedule, max_steps=steps),
        label_smoothing=settings["label_smoothing"],
        bleu=lambda network: scorer.bleu(translate(network, tokenizer, sources, greedy)[0]),
    )
    per_step = data.tokens_per_step
    log.info(
        f"train_translator: {network.parameter_count():,} parameters, vocabulary of {tokenizer.vocab_size:,}, "
        f"{steps:,} steps of about {per_step:,} tokens, {steps / data.batches_per_epoch:.1f} epochs"
    )
    recorder = fit(module, data, settings | {"accumulate": 1}, runtime, scratch, per_step, [], logger)
    network.eval()
    return recorder, Training(
        val_loss=module.validation["val/loss"],
        val_perplexity=module.validation["val/perplexity"],
        val_bleu=module.validation["val/bleu"],
        parameters=network.parameter_count(),
        steps=steps,
        epochs=steps / data.batches_per_epoch,
        tokens=steps * per_step,
    )


def _test(
    network: Translator, tokenizer: Tokenizer, train: list[Pair], test: list[Pair], search: BeamSearch
) -> tuple[dict[Method, Scores], Signatures, list[dict[str, str]]]:
    """Translate the test pairs by each method: their scores, how these were computed, and the translations."""
    sources, references = [pair.source for pair in test], [pair.target for pair in test]
    scorer = Scorer(references)
    translations: dict[Method, list[str]] = {
        "beam": translate(network, tokenizer, sources, search)[0],
        "greedy": translate(network, tokenizer, sources, replace(search, beam=1))[0],
        "nearest": nearest(train, sources),
    }
    scores = {method: scorer.scores(texts) for method, texts in translations.items()}
    rows = [
        {"source": pair.source, "reference": pair.target, "beam": beam, "greedy": greedy, "nearest": copied}
        for pair, beam, greedy, copied in zip(test, *translations.values(), strict=True)
    ]
    return scores, scorer.signatures(), rows
