"""Tune models/base to follow instructions, and measure its answers beside the base's, into models/chat."""

import json
import logging
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig

from foundling.artifacts import atomic_file, settle, write_json
from foundling.config import recipe, section
from foundling.data.conversations import Example, conversations, texts, together
from foundling.data.instruction import InstructionData, Reading
from foundling.data.lineage import require_base, shaping
from foundling.data.shards import open_tokens
from foundling.data.splits import TEST, choose
from foundling.data.unknown import count_unknown
from foundling.device import set_up
from foundling.evaluation.answers import answer_loss, ask, beside, marks, measure, summary
from foundling.evaluation.forgetting import ForgettingProbe
from foundling.evaluation.judge import judge, reach
from foundling.metrics import to_plain, write_metrics
from foundling.model import lora
from foundling.model.gpt import GPT
from foundling.scratch import begin
from foundling.settings import Job
from foundling.terminal import show
from foundling.text.prompts import template_of
from foundling.text.tokenizer import Tokenizer
from foundling.training.fit import fit
from foundling.training.language import LanguageModule
from foundling.training.loggers import finish, log_lineage, make_wandb
from foundling.training.recorder import Recorder
from foundling.weights import folder
from foundling.weights.chat import save_chat
from foundling.weights.provenance import provenance, run_record

if TYPE_CHECKING:
    from lightning.pytorch.loggers import WandbLogger

log = logging.getLogger(__name__)
BASE, CHAT, RAW = Path("models/base"), Path("models/chat"), Path("data/raw/instruct")
TOKENS, BENCHMARKS = Path("data/tokens"), Path("data/raw/benchmarks")
PLACES = {"train.csv": "plots/instruct.csv", "validation.csv": "plots/instruct_validation.csv"}


def run(job: Job) -> float:
    """Train, save, ask, record; returns the share of right answers, which a sweeper may maximise."""
    config, out = job.config, job.out
    began = time.perf_counter()
    asked, settings = recipe(config), section(config, "instruct")
    device = set_up(config.runtime)
    require_base(BASE, asked)
    reach(settings["judge"])
    network, tokenizer = folder.load(BASE)
    changes: Counter[str] = Counter()
    splits = conversations(RAW, settings, template_of(settings["template"]), changes)
    count_unknown(tokenizer, texts(splits), "instruct", changes)
    probe = ForgettingProbe.read(TOKENS, BENCHMARKS, tokenizer, settings["forgetting"], section(config, "evaluate"))
    origin = provenance(shaping(asked, "instruct"), [RAW / "meta.json"], BASE)
    work = begin("instruct", origin)
    logger = make_wandb(section(config, "runtime")["logger"], asked, "instruct", work.folder)
    recorder, reached = _tune(network, tokenizer, splits, config, work.folder, logger, changes)
    made = origin | {"metrics": reached} | recorder.left_out
    save_chat(out / CHAT, network, tokenizer, made, settings["template"], settings["system"])
    tuned = time.perf_counter()
    metrics, answers = _measure(network, tokenizer, splits[TEST], probe, config, device)
    counts = {"examples": {split: len(examples) for split, examples in splits.items()}, "changes": dict(+changes)}
    write_json(out / "metrics/instruct.json", {"dataset": settings["dataset"]["name"], **counts, **metrics})
    with atomic_file(out / "plots/answers.jsonl") as file:
        file.writelines(json.dumps(answer, ensure_ascii=False) + "\n" for answer in answers)
    settle(work.folder, out, PLACES)
    if logger is not None:
        logger.log_metrics({"test/right": metrics["tuned"]["kinds"]["all"]["accuracy"]})
    log_lineage(logger, out / CHAT, "model", "chat", BASE, "model", "base")
    seconds = {"training": recorder.seconds, "tuning": tuned - began, "whole": time.perf_counter() - began}
    record = run_record(out / CHAT / folder.WEIGHTS, seconds, recorder.tokens_per_second, device, finish(logger))
    write_metrics(out / "metrics/instruct_run.json", record)
    work.done()
    show(summary(metrics))
    return float(metrics["tuned"]["kinds"]["all"]["accuracy"])


def _tune(
    network: GPT,
    tokenizer: Tokenizer,
    splits: dict[str, list[Example]],
    config: DictConfig,
    scratch: Path,
    logger: "WandbLogger | None",
    changes: Counter[str],
) -> tuple[Recorder, dict[str, float]]:
    """Train the network in place, all of it or by LoRA; returns the recorder and what was reached.

    `changes` counts the conversations that are cut or left out.
    """
    settings, runtime = section(config, "instruct"), section(config, "runtime")
    if settings["method"] not in ("full", "lora"):
        raise ValueError(f"found instruct.method={settings['method']!r}; allowed are full and lora; try full")
    template = template_of(settings["template"])
    reading = Reading(template, settings["loss_on"], settings["learn_end"], network.config.context, settings["keep"])
    steps, seed = settings["max_steps"], settings["seed"]
    batches = {name: settings[name] for name in ("turns", "batch_size", "bucket", "packing", "seed", "rehearsal")}
    corpus = open_tokens(TOKENS, tokenizer).train if settings["rehearsal"] else []
    data = InstructionData(
        splits, tokenizer, reading, steps=steps, workers=runtime["workers"], corpus=corpus, changes=changes, **batches
    )
    if settings["method"] == "lora":
        lora.wrap(network, **settings["lora"], seed=seed)
    optimizer = instantiate(config.instruct.optimizer, _partial_=True)
    schedule = instantiate(config.instruct.schedule, max_steps=steps)
    module = LanguageModule(network.train(), optimizer, schedule, data.validation_bytes, masked=True)
    trained = sum(p.numel() for p in network.parameters() if p.requires_grad)
    per_step = data.tokens_per_step
    log.info(
        f"instruct: {trained:,} of {network.parameter_count():,} parameters, {steps:,} steps of about {per_step:,} "
        f"tokens, {steps / data.batches_per_epoch:.1f} epochs"
    )
    recorder = fit(module, data, settings | {"accumulate": 1}, runtime, scratch, per_step, [], logger)
    lora.merge(network)
    network.eval()
    reached = {name: value for name, value in module.validation.items() if name != "step"}
    return recorder, reached | {"trained_parameters": trained, "steps": steps}


def _measure(
    network: GPT,
    tokenizer: Tokenizer,
    examples: list[Example],
    probe: ForgettingProbe,
    config: DictConfig,
    device: torch.device,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The answers of base and tuned model to the same prompts, and what both know of the base's own texts."""
    settings, batch_tokens = section(config, "instruct"), section(config, "evaluate")["batch_tokens"]
    seed = settings["seed"]
    template, limit = template_of(settings["template"]), settings["test"]["limit"]
    asked = {name: value for name, value in settings["test"].items() if name != "limit"}
    examples = choose(examples, limit, seed)
    metrics: dict[str, Any] = {"checks": asked["checks"]}
    answers = {}
    for name, model in (("base", folder.load_model(BASE)), ("tuned", network)):
        model.to(device)
        answers[name] = ask(model, tokenizer, template, examples, **asked)
        metrics[name] = measure(answers[name]) | {
            "answer_loss": answer_loss(model, tokenizer, template, examples, batch_tokens)
        }
        metrics[name]["knows"] = to_plain(probe.measure(model, batch_tokens))
        metrics[name]["judge"] = judge(answers[name], settings["judge"], seed)
    # the same once more, each behind another one, as in a chat
    later = [together(pair) for pair in zip([*examples[1:], examples[0]], examples, strict=True)]
    metrics["tuned"]["second_turn"] = marks(ask(network, tokenizer, template, later, **asked))["all"]
    return metrics, beside(answers["base"], answers["tuned"])
