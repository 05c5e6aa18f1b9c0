"""Estimate the costs of pretraining: foundling plan model=gpt2_124m hardware=h100 tokens=2.5e9.

Prints parameters and memory by part, FLOPs, time, energy and price of the composed model on hardware=…. All
are computed by formulas, except for the speed of this machine, which is measured.
"""

import dataclasses
import logging
import math
from pathlib import Path

from rich.table import Table

from foundling import costs
from foundling.artifacts import read_json
from foundling.commands.plan_tables import duration, memory_table, parameter_table, si, training_table
from foundling.costs import GIB, HOUR, Work
from foundling.data.lineage import require
from foundling.device import set_threads
from foundling.division import Share
from foundling.memory import activation_bytes, free_memory, microbatches_that_fit, state_bytes
from foundling.model.config import GPTConfig
from foundling.settings import Job, Recipe, Settings
from foundling.settings.models import GPTSettings
from foundling.settings.runtime import ACTIVATION_CHECKPOINTING, FSDP, TENSOR_PARALLEL, Hardware
from foundling.settings.training import Pretrain
from foundling.terminal import show

log = logging.getLogger(__name__)
TOKENS, TOKENIZER = Path("data/tokens"), Path("data/tokenizer")
WIDTH = 100
LARGEST_STEP = 5e11  # FLOPs of the largest step that is timed on this machine


def run(job: Job) -> None:
    """Print the plan, then warnings about what does not fit or takes too long."""
    settings, hardware = job.settings.pretrain, job.settings.hardware
    shape = _shape(job.settings)
    precision = costs.precision_of(settings.precision, hardware.precision)
    work = _work(job, shape)
    if hardware.peak is None:
        hardware, speed = _measured(job.settings, shape, precision)
    else:
        speed = f"{si(costs.speed(hardware, precision))}FLOP/s, {hardware.utilization:.0%} of the peak"
    total = costs.bill(work.all, hardware, precision)
    share = Share(shape, job.settings.runtime.trainer.strategy, hardware.devices)
    state = share.state_bytes(_optimizer(settings), precision)
    tokens = work.windows * shape.context
    every = job.settings.runtime.activation_checkpointing
    activations = {n: share.activation_bytes(tokens, precision, n) for n in (0, every or 1)}
    memory = hardware.memory if hardware.memory is not None else free_memory()
    title = f"\n  {hardware.name}, {precision}; batches of {settings.batch_size:,} × {shape.context:,} tokens"
    side_by_side = Table.grid(padding=(0, 2))
    side_by_side.add_row(
        parameter_table(costs.parameters(shape)), memory_table(state, activations, memory, work.windows)
    )
    show(title, side_by_side, training_table(work, shape, total, speed, hardware.devices), width=WIDTH)
    if sum(state.values()) + activations[every] > memory:
        log.warning(_too_large(share, precision, sum(state.values()), memory, work, hardware, every))
    budget = job.settings.runtime.budget_hours
    if budget is not None and total.seconds > budget * HOUR:
        log.warning(f"plan: {duration(total.seconds)} is more than runtime.budget_hours={budget}")


def _shape(settings: Settings) -> GPTConfig:
    if not isinstance(settings.model, GPTSettings):
        raise ValueError(
            "plan computes costs by formulas for GPTs, but this model is a custom architecture; "
            "`foundling pretrain` times its steps and warns above runtime.budget_hours"
        )
    return GPTConfig.of(settings.model, _vocab_size(settings))


def _optimizer(settings: Pretrain) -> str:
    return settings.optimizer.target.rpartition(".")[2]


def _vocab_size(settings: Settings) -> int:
    """The vocabulary size from plan.vocab_size, the tokenizer's setting, or data/tokenizer."""
    tokenizer = settings.tokenizer
    if settings.plan.vocab_size is not None:
        return settings.plan.vocab_size
    if tokenizer.kind == "gpt2":
        return 50_256 + len(tokenizer.specials or ())
    if tokenizer.vocab_size is not None:
        return tokenizer.vocab_size
    if not (TOKENIZER / "tokenizer.json").is_file():
        raise ValueError(
            f"the size of a tokenizer of kind {tokenizer.kind} depends on the corpus, and {TOKENIZER} does "
            "not exist; run `dvc repro train_tokenizer`, or set plan.vocab_size"
        )
    return int(read_json(TOKENIZER / "tokenizer.json")["vocab_size"])


def _work(job: Job, shape: GPTConfig) -> Work:
    settings, plan = job.settings.pretrain, job.settings.plan
    per_step = settings.batch_size * shape.context
    steps = settings.max_steps if plan.tokens is None else math.ceil(plan.tokens / per_step)
    tokens = steps * per_step if plan.tokens is None else plan.tokens
    share = Share(shape, job.settings.runtime.trainer.strategy, job.settings.hardware.devices)
    weights, scores = costs.flops_per_token(shape)
    attention = scores if plan.attention else 0.0
    corpus, validation = _corpus(job.recipe)
    return Work(
        tokens=tokens,
        steps=steps,
        windows=math.ceil(settings.batch_size / settings.accumulate / share.batch_divisor),
        weights=weights,
        attention=attention,
        recomputed=costs.recomputed_per_token(
            shape, weights + attention, job.settings.runtime.activation_checkpointing
        ),
        corpus=corpus,
        validated=float(validation * math.ceil(steps / settings.validate_every)),
    )


def _corpus(recipe: Recipe) -> tuple[int | None, int]:
    """Training and validation tokens in data/tokens; (None, 0) if it was not made with this config."""
    if not (TOKENS / "meta.json").is_file():
        return None, 0
    meta = read_json(TOKENS / "meta.json")
    try:
        require(meta["made_with"], recipe, str(TOKENS), "")
    except ValueError:
        return None, 0
    counts = {"train": 0, "validation": 0}
    for shard in meta["shards"]:
        counts[shard["split"]] += shard["tokens"]
    return counts["train"], counts["validation"]


def _measured(all_settings: Settings, shape: GPTConfig, precision: str) -> tuple[Hardware, str]:
    """The hardware with the speed measured on this machine, on a part of the model if it is too large."""
    import torch

    from foundling.model.gpt import GPT
    from foundling.training.calibration import measure

    settings, plan, hardware = all_settings.pretrain, all_settings.plan, all_settings.hardware
    full_windows = settings.batch_size // settings.accumulate
    windows, layers, part = full_windows, shape.n_layer, shape
    while _step_flops(part, windows) > LARGEST_STEP and windows * layers > 1:
        windows, layers = (windows // 2, layers) if windows > 1 else (1, layers // 2)
        part = costs.first_layers(shape, layers)
    needed = sum(state_bytes(part, _optimizer(settings), precision).values())
    needed += activation_bytes(part, windows * shape.context, precision)
    if needed > free_memory():
        raise ValueError(
            f"a single layer of this model needs {needed / GIB:,.0f} GiB, more than is free on this machine, "
            "so it cannot be timed; choose the hardware, such as hardware=h100, or set hardware.peak"
        )
    set_threads(all_settings.runtime.threads)
    whole = (windows, layers) == (full_windows, shape.n_layer)
    accumulate = settings.accumulate if whole else 1
    torch.manual_seed(settings.seed)
    speed = measure(
        GPT(part),
        settings.optimizer.partial(),
        batch_size=windows * accumulate,
        accumulate=accumulate,
        gradient_clip=settings.gradient_clip,
        precision=precision,
        seconds=plan.calibration_seconds,
        min_steps=1,
    )
    weights, attention = costs.flops_per_token(part)
    per_token = weights + (attention if plan.attention else 0)
    flops = per_token * windows * accumulate * shape.context / speed.seconds
    measured = "the whole model"
    if not whole:
        measured = f"{layers} of {shape.n_layer} layers, {windows} × {shape.context:,} tokens"
    seconds = f"{speed.seconds:.3g} s per step (median of {speed.steps})"
    peak = {costs.PRECISIONS[precision][2]: flops / hardware.utilization}
    return dataclasses.replace(hardware, peak=peak), f"{si(flops)}FLOP/s, measured on {measured}, {seconds}"


def _step_flops(shape: GPTConfig, windows: int) -> float:
    return sum(costs.flops_per_token(shape)) * windows * shape.context


def _too_large(
    share: Share, precision: str, state: float, memory: float, work: Work, hardware: Hardware, every: int
) -> str:
    """A warning about what does not fit into a device, and what would."""
    shape = share.part
    if state > memory:
        needed = f"weights, gradients and optimizer state do not fit into one device of {hardware.name}"
        if share.strategy in (FSDP, TENSOR_PARALLEL):
            return f"plan: {needed}, also divided among {hardware.devices:,}; use more devices"
        count = math.ceil(state / memory)
        return f"plan: {needed}; sharded (trainer=fsdp), they need at least {count:,} devices"
    parts = microbatches_that_fit(shape, work.windows, precision, memory - state, every)
    if parts is None:
        fix = "use a smaller model or a shorter model.context"
        if activation_bytes(shape, shape.context, precision, 1) <= memory - state:
            fix = f"set {ACTIVATION_CHECKPOINTING}=1, with a microbatch of one window"
        return f"plan: the activations of one window do not fit; {fix}"
    return f"plan: this does not fit into memory; multiply pretrain.accumulate by {parts} to make it fit"
