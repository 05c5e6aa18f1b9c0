"""Tune the base to follow instructions, into models/chat, and measure its answers beside the base's."""

import json
import logging
import os
import shutil
import time
from pathlib import Path
from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.console import Console

from foundling.artifacts import atomic_file, write_json
from foundling.config import recipe, section
from foundling.data.conversations import TEST, Example, conversations
from foundling.data.instruction import InstructionData, Reading
from foundling.data.lineage import require
from foundling.data.shards import open_tokens
from foundling.data.sources import records
from foundling.evaluation.answers import answer_loss, ask, beside, chosen, marks, shown
from foundling.evaluation.answers_table import answers_table
from foundling.evaluation.benchmarks import read_items
from foundling.evaluation.forgetting import knows
from foundling.evaluation.judge import judge, reach
from foundling.model import lora
from foundling.model.gpt import GPT
from foundling.text.prompts import Template, template_of
from foundling.text.tokenizer import Tokenizer
from foundling.training.fit import fit
from foundling.training.language import LanguageModule
from foundling.training.loggers import finish, log_lineage, make_wandb
from foundling.weights import folder
from foundling.weights.chat import save_chat
from foundling.weights.provenance import provenance, run_record

log = logging.getLogger(__name__)
BASE, RAW, TOKENS, BENCHMARKS = (
    Path(place) for place in ("models/base", "data/raw/instruct", "data/tokens", "data/raw/benchmarks")
)
SHAPED_BY = ("corpus", "tokenizer", "model", "pretrain")


def run(config: DictConfig, out: Path) -> float:
    """Tune, save, let base and tuned model answer; returns the share of right answers, which a sweeper may maximise."""
    began = time.perf_counter()
    asked, settings, runtime = recipe(config), section(config, "instruct"), section(config, "runtime")
    require(made_with(BASE), asked, str(BASE), "run `dvc repro pretrain` first, or drop that setting")
    reach(settings["judge"])
    network, tokenizer = folder.load(BASE)
    template = template_of(settings["template"])
    splits = conversations(RAW, settings, template)
    logger = make_wandb(runtime["logger"], asked, "instruct", out)
    scratch = out / "scratch/instruct"
    shutil.rmtree(scratch, ignore_errors=True)
    recorder, reached = _tune(network, tokenizer, splits, config, scratch, logger)

    made = provenance(asked, [RAW / "meta.json"], BASE, reached)
    save_chat(out / CHAT, network, tokenizer, made, settings["template"], settings["system"])
    settle(scratch, out, PLACES)
    metrics, answers = _measure(network, tokenizer, splits[TEST], config)
    write_json(out / "metrics/instruct.json", metrics | {"examples": {name: len(those) for name, those in splits.items()}})
    write_rows(out / "plots/answers.jsonl", answers)
    log_lineage(logger, out / CHAT, "model", "chat", BASE, "model", "base")
    seconds = {"training": recorder.seconds, "whole": time.perf_counter() - began}
    record = run_record(out / CHAT / folder.WEIGHTS, seconds, recorder.tokens_per_second, finish(logger))
    write_json(out / "metrics/instruct_run.json", record)
    Console().print(answers_table(metrics))
    return float(metrics["tuned"]["kinds"]["all"]["accuracy"])
