"""Tune models/base to follow instructions, into models/chat, and compare the answers of both models."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from foundling.data.conversations import Example, read_conversations, texts
from foundling.data.instruction import ConversationEncoder, InstructionData
from foundling.data.lineage import SHAPED_BY, require_base
from foundling.data.shards import open_tokens
from foundling.data.splits import TEST, choose
from foundling.data.unknown import count_unknown
from foundling.evaluation.accuracy import ALL, accuracy
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
from foundling.evaluation.turns import answer_in_turns
from foundling.metrics.instruct import Instruct, ModelScores
from foundling.model import lora
from foundling.model.interface import LanguageModel
from foundling.settings import Job
from foundling.settings.training import Instruct as InstructSettings
from foundling.terminal import show
from foundling.text.chat_template import MODEL, find_template
from foundling.text.tokenizer import Tokenizer
from foundling.training.module import Loop
from foundling.training.run import TrainingRun
from foundling.weights import folder
from foundling.weights.chat import chat_files

log = logging.getLogger(__name__)
BASE, RAW = Path("models/base"), Path("data/raw/instruct")
TOKENS, BENCHMARKS = Path("data/tokens"), Path("data/raw/benchmarks")


def run(job: Job) -> float:
    """Train, save and evaluate; returns the accuracy of the tuned model, which a sweeper may maximize."""
    settings = job.settings.instruct
    sections = (*SHAPED_BY, "instruct")
    training = TrainingRun(job, "instruct", sections=sections, inputs=[RAW / "meta.json"], parent=BASE)
    require_base(BASE, job.recipe)
    check_judge(settings.judge)
    network, tokenizer = folder.load(BASE)
    window = network.config.context
    _extend_context(network, settings)
    template = find_template(settings.template, tokenizer)
    files = chat_files(settings.template, settings.system, tokenizer)
    if tokenizer.chat_template and settings.template != MODEL:
        log.info(f"instruct: {BASE} has a chat template of its own, which instruct.template={MODEL} tunes in")
    changes: Counter[str] = Counter()
    splits = read_conversations(RAW, settings, changes)
    count_unknown(tokenizer, texts(splits), "instruct", changes)
    probe = ForgettingProbe.read(TOKENS, BENCHMARKS, tokenizer, settings.forgetting, job.settings.evaluate)

    encoder = ConversationEncoder(tokenizer, settings, network.config.context)
    corpus = open_tokens(TOKENS, tokenizer).train if settings.rehearsal else []
    data = settings.data.build(splits, encoder, corpus, changes, job.settings.runtime.workers)
    measures = _tune(network, data, settings, training)
    training.save_model("chat", network, tokenizer, measures, files)
    training.lap("tuning")

    examples = choose(splits[TEST], settings.test.limit, settings.seed)
    batch_tokens = job.settings.evaluate.batch_tokens
    score = partial(_score, tokenizer, examples, probe, settings, batch_tokens, window)
    base_answers, base_scores = score(folder.load_model(BASE).to(training.device))
    answers, scores = score(network.to(training.device))
    by_turn = answer_in_turns(
        network, tokenizer, template, examples, answers, settings.test, max(2, settings.turns)
    )
    turns = tuple(accuracy([answer.right for answer in turn]) for turn in by_turn)
    metrics = Instruct(
        dataset=settings.dataset.name,
        examples={split: len(examples) for split, examples in splits.items()},
        changes=dict(+changes),
        checks=settings.test.checks,
        base=base_scores,
        tuned=replace(scores, turns=turns),
    )
    training.write_metrics(metrics)
    training.write_lines("plots/answers.jsonl", side_by_side(base_answers, answers))
    right = scores.kinds[ALL].accuracy
    training.log({"test/right": right})
    training.publish()
    show(summary(metrics))
    return right


def _extend_context(network: LanguageModel, settings: InstructSettings) -> None:
    """Let the network read as many tokens as the settings ask for, which the log says."""
    before, wanted = network.config.context, settings.context
    if wanted is None or wanted <= before:
        return
    if network.extend_context(wanted):
        log.info(f"instruct: the base's context of {before:,} tokens is extended to {wanted:,}")
    else:
        log.warning(
            f"instruct: the context stays at {before:,} tokens instead of instruct.context={wanted}, since "
            "positions beyond it were not learned; pretrain with a longer model.context"
        )


def _tune(
    network: LanguageModel, data: InstructionData, settings: InstructSettings, training: TrainingRun
) -> dict[str, float]:
    """Train the network in place, all of it or by LoRA; returns the measures of the last validation."""
    if settings.method == "lora":
        lora.wrap(network, settings.lora, settings.seed)
    optimizer, schedule = settings.optimizer.partial(), settings.schedule.build(max_steps=settings.max_steps)
    module = settings.module.build(network.train(), optimizer, schedule, data.validation_bytes, masked=True)
    trained = sum(p.numel() for p in network.parameters() if p.requires_grad)
    log.info(
        f"instruct: {trained:,} of {network.parameter_count():,} parameters, {settings.max_steps:,} steps of "
        f"about {data.tokens_per_step:,} tokens, {settings.max_steps / data.batches_per_epoch:.1f} epochs"
    )
    loop = Loop(settings, settings.max_steps, settings.validate_every)
    measures = training.fit(module, data, loop)
    lora.merge(network)
    network.eval()
    return measures | {"trained_parameters": trained, "steps": settings.max_steps}


def _score(
    tokenizer: Tokenizer,
    examples: Sequence[Example],
    probe: ForgettingProbe,
    settings: InstructSettings,
    batch_tokens: int,
    window: int,
    model: LanguageModel,
) -> tuple[list[Answer], ModelScores]:
    """A model's answers to the test prompts, and all its scores."""
    template = find_template(settings.template, tokenizer)
    answers = answer_examples(model, tokenizer, template, examples, settings.test)
    scores = ModelScores(
        rouge_l=interval(rouge_l(answers)),
        signatures={"rouge_l": rouge_signature(answers)},
        kinds=score_by_kind(answers),
        answer_loss=answer_loss(model, tokenizer, template, examples, batch_tokens),
        forgetting=probe.measure(model, batch_tokens, window),
        judge=judge(answers, settings.judge, settings.seed),
    )
    return answers, scores
