"""Tune models/base to follow instructions, into models/chat, and compare the answers of both models."""

import json
import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from hydra.utils import instantiate

from foundling.artifacts import atomic_file, settle
from foundling.config import section
from foundling.data.conversations import Example, join_turns, read_conversations, texts
from foundling.data.instruction import ConversationEncoder, InstructionData
from foundling.data.lineage import require_base, shaping
from foundling.data.shards import open_tokens
from foundling.data.splits import TEST, choose
from foundling.data.unknown import count_unknown
from foundling.device import set_up
from foundling.evaluation.accuracy import ALL
from foundling.evaluation.answers import (
    Answer,
    answer_examples,
    answer_loss,
    interval,
    rouge_l,
    rouge_signature,
    score_by_kind,
    side_by_side,
    summary,
)
from foundling.evaluation.forgetting import ForgettingProbe
from foundling.evaluation.judge import check_judge, judge
from foundling.metrics import write_metrics
from foundling.metrics.instruct import Instruct, ModelScores
from foundling.model import lora
from foundling.model.gpt import GPT
from foundling.scratch import begin
from foundling.settings import Job
from foundling.settings.training import Instruct as InstructSettings
from foundling.terminal import show
from foundling.text.prompts import TEMPLATES
from foundling.text.tokenizer import Tokenizer
from foundling.training.fit import fit
from foundling.training.language import LanguageModule
from foundling.training.loggers import finish, log_lineage, make_wandb
from foundling.weights import folder
from foundling.weights.chat import save_chat
from foundling.weights.provenance import provenance, run_record

log = logging.getLogger(__name__)
BASE, CHAT, RAW = Path("models/base"), Path("models/chat"), Path("data/raw/instruct")
TOKENS, BENCHMARKS = Path("data/tokens"), Path("data/raw/benchmarks")
PLACES = {"train.csv": "plots/instruct.csv", "validation.csv": "plots/instruct_validation.csv"}


def run(job: Job) -> float:
    """Train, save and evaluate; returns the accuracy of the tuned model, which a sweeper may maximise."""
    started, out = time.perf_counter(), job.out
    settings, values, runtime = job.settings.instruct, job.recipe["instruct"], section(job.config, "runtime")
    device = set_up(runtime)
    require_base(BASE, job.recipe)
    check_judge(settings.judge)
    network, tokenizer = folder.load(BASE)
    changes: Counter[str] = Counter()
    splits = read_conversations(RAW, settings, values["dataset"], changes)
    count_unknown(tokenizer, texts(splits), "instruct", changes)
    probe = ForgettingProbe.read(TOKENS, BENCHMARKS, tokenizer, values["forgetting"], job.recipe["evaluate"])
    origin = provenance(shaping(job.recipe, "instruct"), [RAW / "meta.json"], BASE)
    work = begin("instruct", origin)
    logger = make_wandb(runtime["logger"], job.recipe, "instruct", work.folder)

    encoder = ConversationEncoder(tokenizer, settings, network.config.context)
    corpus = open_tokens(TOKENS, tokenizer).train if settings.rehearsal else []
    data = InstructionData(splits, encoder, corpus, changes, runtime["workers"])
    if settings.method == "lora":
        lora.wrap(network, **asdict(settings.lora), seed=settings.seed)
    optimizer = instantiate(job.config.instruct.optimizer, _partial_=True)
    schedule = instantiate(job.config.instruct.schedule, max_steps=settings.max_steps)
    module = LanguageModule(network.train(), optimizer, schedule, data.validation_bytes, masked=True)
    trained = sum(p.numel() for p in network.parameters() if p.requires_grad)
    log.info(
        f"instruct: {trained:,} of {network.parameter_count():,} parameters, {settings.max_steps:,} steps of about "
        f"{data.tokens_per_step:,} tokens, {settings.max_steps / data.batches_per_epoch:.1f} epochs"
    )
    recorder = fit(module, data, values | {"accumulate": 1}, runtime, work.folder, data.tokens_per_step, [], logger)
    lora.merge(network)
    network.eval()
    reached = {name: value for name, value in module.validation.items() if name != "step"}
    reached |= {"trained_parameters": trained, "steps": settings.max_steps}
    record = origin | {"metrics": reached} | recorder.left_out
    save_chat(out / CHAT, network, tokenizer, record, settings.template, settings.system)
    tuned = time.perf_counter()

    examples = choose(splits[TEST], settings.test.limit, settings.seed)
    score = partial(_score, tokenizer, examples, probe, settings, job.settings.evaluate.batch_tokens)
    base_answers, base_scores = score(folder.load_model(BASE).to(device))
    answers, scores = score(network.to(device))
    later = [join_turns(pair) for pair in zip([*examples[1:], examples[0]], examples, strict=True)]
    later_answers = answer_examples(network, tokenizer, TEMPLATES[settings.template], later, settings.test)
    metrics = Instruct(
        dataset=settings.dataset.name,
        examples={split: len(examples) for split, examples in splits.items()},
        changes=dict(+changes),
        checks=settings.test.checks,
        base=base_scores,
        tuned=replace(scores, second_turn=score_by_kind(later_answers)[ALL]),
    )
    write_metrics(out / "metrics/instruct.json", metrics)
    with atomic_file(out / "plots/answers.jsonl") as file:
        for row in side_by_side(base_answers, answers):
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    settle(work.folder, out, PLACES)
    accuracy = scores.kinds[ALL].accuracy
    if logger is not None:
        logger.log_metrics({"test/right": accuracy})
    log_lineage(logger, out / CHAT, "model", "chat", BASE, "model", "base")
    seconds = {"training": recorder.seconds, "tuning": tuned - started, "whole": time.perf_counter() - started}
    weights = out / CHAT / folder.WEIGHTS
    run = run_record(weights, seconds, recorder.tokens_per_second, device, finish(logger))
    write_metrics(out / "metrics/instruct_run.json", run)
    work.done()
    show(summary(metrics))
    return accuracy


def _score(
    tokenizer: Tokenizer,
    examples: Sequence[Example],
    probe: ForgettingProbe,
    settings: InstructSettings,
    batch_tokens: int,
    model: GPT,
) -> tuple[list[Answer], ModelScores]:
    """A model's answers to the test prompts, and all its scores."""
    template = TEMPLATES[settings.template]
    answers = answer_examples(model, tokenizer, template, examples, settings.test)
    scores = ModelScores(
        rouge_l=interval(rouge_l(answers)),
        signatures={"rouge_l": rouge_signature(answers)},
        kinds=score_by_kind(answers),
        answer_loss=answer_loss(model, tokenizer, template, examples, batch_tokens),
        knows=probe.measure(model, batch_tokens),
        judge=judge(answers, settings.judge, settings.seed),
    )
    return answers, scores
