"""Raise a translator from sentence pairs, with a tokenizer of its own, and measure it, into models/translator."""

import logging
from collections import Counter
from dataclasses import replace
from pathlib import Path

import torch

from foundling.config import section
from foundling.costs import require_memory
from foundling.data.pairs import Pair, sentence_pairs
from foundling.data.splits import TEST, TRAIN, VALIDATION, choose
from foundling.data.translation import encode
from foundling.evaluation.translation import Scorer, cross_attention, nearest, summary
from foundling.generation.beam import translate
from foundling.metrics import to_plain
from foundling.metrics.train_translator import Method, Pairs, Scores, Search, Signatures, Training, TrainTranslator
from foundling.model.config import TranslatorConfig
from foundling.model.translator import Translator
from foundling.settings import Job
from foundling.settings.training import BeamSearch
from foundling.terminal import show
from foundling.text.tokenizer import Tokenizer, train_bpe
from foundling.training.loop import Loop
from foundling.training.run import TrainingRun
from foundling.validation import build

log = logging.getLogger(__name__)
PAIRS = Path("data/raw/train_translator")


def run(job: Job) -> float:
    """Train, translate, save, record; returns the BLEU of beam search, which a sweeper may maximise."""
    settings, source = section(job.config, "train_translator"), PAIRS / "meta.json"
    training = TrainingRun(job, "train_translator", sections=["train_translator"], inputs=[source])
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
    reached = _train(network, tokenizer, pairs, job, training, changes)
    training.lap("trained")
    tested = choose(pairs[TEST], settings["test"]["limit"], settings["seed"])
    network.to(training.device)
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
    training.save_model("translator", network.cpu(), tokenizer, to_plain(reached))
    training.write_metrics(metrics)
    training.write_lines("plots/translations.jsonl", rows)
    training.write_lines("plots/cross_attention.jsonl", shown)
    training.publish(source, "pairs")
    show(summary(metrics))
    return metrics.test["beam"].bleu.score


def _train(
    network: Translator,
    tokenizer: Tokenizer,
    pairs: dict[str, list[Pair]],
    job: Job,
    training: TrainingRun,
    changes: Counter[str],
) -> Training:
    """Fit the network in place; returns its measures. `changes` counts pairs that are too long."""
    settings, parts = section(job.config, "train_translator"), job.settings.train_translator
    context, steps = network.config.context, settings["max_steps"]
    rows = {split: encode(tokenizer, pairs[split], context, split, changes) for split in (TRAIN, VALIDATION)}
    batches = {name: settings[name] for name in ("batch_tokens", "seed")}
    batches |= {"steps": steps, "workers": job.settings.runtime.workers}
    data = parts.data.build(rows[TRAIN], rows[VALIDATION], **batches)
    held_out = pairs[VALIDATION][: settings["bleu_sentences"]]
    sources, scorer = [pair.source for pair in held_out], Scorer([pair.target for pair in held_out])
    greedy = replace(parts.test, beam=1)
    module = parts.module.build(
        network.train(),
        parts.optimizer.partial(),
        parts.schedule.build(max_steps=steps),
        label_smoothing=settings["label_smoothing"],
        bleu=lambda network: scorer.bleu(translate(network, tokenizer, sources, greedy)[0]),
    )
    per_step = data.tokens_per_step
    log.info(
        f"train_translator: {network.parameter_count():,} parameters, vocabulary of {tokenizer.vocab_size:,}, "
        f"{steps:,} steps of about {per_step:,} tokens, {steps / data.batches_per_epoch:.1f} epochs"
    )
    measures = training.fit(module, data, Loop.of(parts, max_steps=steps, validate_every=parts.validate_every))
    network.eval()
    return Training(
        val_loss=measures["val/loss"],
        val_perplexity=measures["val/perplexity"],
        val_bleu=measures["val/bleu"],
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
