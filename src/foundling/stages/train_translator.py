"""Train a translator and its tokenizer on sentence pairs, into models/translator, and evaluate it."""

import logging
from collections import Counter
from dataclasses import replace
from pathlib import Path

import torch

from foundling.data.pairs import Pair, sentence_pairs
from foundling.data.splits import TEST, TRAIN, VALIDATION, choose
from foundling.data.translation import encode
from foundling.evaluation.cross_attention import cross_attention
from foundling.evaluation.translation import Scorer, Translation, nearest, summary
from foundling.generation.beam import translate
from foundling.memory import require_memory
from foundling.metrics import to_plain
from foundling.metrics.train_translator import Method, Pairs, Search, Training, TrainTranslator
from foundling.model.config import TranslatorConfig
from foundling.model.translator import Translator
from foundling.settings import Job
from foundling.terminal import show
from foundling.text.tokenizer import Tokenizer
from foundling.text.vocabularies import train_bpe
from foundling.training.module import Loop
from foundling.training.run import TrainingRun

log = logging.getLogger(__name__)
PAIRS = Path("data/raw/train_translator")


def run(job: Job) -> float:
    """Train, translate the test split, publish; returns beam search's BLEU, which a sweep may maximize."""
    settings, source = job.settings.train_translator, PAIRS / "meta.json"
    training = TrainingRun(job, "train_translator", sections=["train_translator"], inputs=[source])
    changes: Counter[str] = Counter()
    pairs = sentence_pairs(PAIRS, settings, changes)
    tokenizer = train_bpe(
        (text for pair in pairs[TRAIN] for text in (pair.source, pair.target)), settings.vocab_size
    )
    config = TranslatorConfig.of(settings.model, tokenizer.vocab_size)
    require_memory(
        12 * config.n_embd**2 * (config.n_encoder + config.n_decoder) + config.vocab_size * config.n_embd
    )
    torch.manual_seed(settings.seed)
    network = Translator(config)
    measures = _train(training, network, tokenizer, pairs, changes)
    training.lap("trained")

    search, test = settings.test, choose(pairs[TEST], settings.test.limit, settings.seed)
    sources, references = [pair.source for pair in test], [pair.target for pair in test]
    scorer = Scorer(references)
    network.to(training.device)
    translations: dict[Method, list[str]] = {
        "beam": translate(network, tokenizer, sources, search)[0],
        "greedy": translate(network, tokenizer, sources, replace(search, beam=1))[0],
        "nearest": nearest(pairs[TRAIN], sources),
    }
    metrics = TrainTranslator(
        dataset=settings.dataset.name,
        pairs=Pairs(**{name: len(split) for name, split in pairs.items()}, tested=len(test)),
        changes=dict(+changes),
        training=measures,
        test={method: scorer.scores(texts) for method, texts in translations.items()},
        search=Search(beam=search.beam, length_penalty=search.length_penalty, extra=search.extra),
        signatures=scorer.signatures(),
    )
    rows = [Translation(*row) for row in zip(sources, references, *translations.values(), strict=True)]
    maps = [cross_attention(network, tokenizer, row.source, row.beam) for row in rows[: search.looks]]
    training.save_model("translator", network.cpu(), tokenizer, to_plain(measures))
    training.write_metrics(metrics)
    training.write_lines("plots/translations.jsonl", rows)
    training.write_lines("plots/cross_attention.jsonl", maps)
    training.publish()
    show(summary(metrics))
    return metrics.test["beam"].bleu.score


def _train(
    training: TrainingRun,
    network: Translator,
    tokenizer: Tokenizer,
    pairs: dict[str, list[Pair]],
    changes: Counter[str],
) -> Training:
    """Train the network in place; `changes` counts pairs that exceed the context."""
    settings, context = training.job.settings.train_translator, network.config.context
    encoded = [encode(tokenizer, pairs[split], context, split, changes) for split in (TRAIN, VALIDATION)]
    data = settings.data.build(
        *encoded,
        batch_tokens=settings.batch_tokens,
        steps=settings.max_steps,
        seed=settings.seed,
        workers=training.runtime.workers,
    )
    held_out = pairs[VALIDATION][: settings.bleu_sentences]
    sources, scorer = [pair.source for pair in held_out], Scorer([pair.target for pair in held_out])
    greedy = replace(settings.test, beam=1)
    module = settings.module.build(
        network.train(),
        settings.optimizer.partial(),
        settings.schedule.build(max_steps=settings.max_steps),
        label_smoothing=settings.label_smoothing,
        bleu=lambda network: scorer.bleu(translate(network, tokenizer, sources, greedy)[0]),
    )
    parameters, steps, per_step = network.parameter_count(), settings.max_steps, data.tokens_per_step
    epochs = steps / data.batches_per_epoch
    log.info(
        f"train_translator: {parameters:,} parameters, vocabulary of {tokenizer.vocab_size:,}, "
        f"{steps:,} steps of about {per_step:,} tokens, {epochs:.1f} epochs"
    )
    measures = training.fit(module, data, Loop(settings, steps, settings.validate_every))
    network.eval()
    return Training(
        val_loss=measures["val/loss"],
        val_perplexity=measures["val/perplexity"],
        val_bleu=measures["val/bleu"],
        parameters=parameters,
        steps=steps,
        epochs=epochs,
        tokens=steps * per_step,
    )
