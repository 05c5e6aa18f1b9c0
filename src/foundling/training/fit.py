"""Fit a module: the Trainer put together from the recipe (what comes out) and the runtime (how it is carried out)."""

import logging
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from lightning.fabric.utilities.throughput import get_available_flops
from lightning.pytorch.loggers import Logger

from foundling.device import automatic_precision, set_up
from foundling.training.callbacks import Bar, Recorder, SeedEachBatch
from foundling.training.faults import SKIP, Fault, Faults
from foundling.training.parts import clear_mishaps
from foundling.training.resume import Checkpoints

log = logging.getLogger(__name__)


def fit(
    module: LightningModule,
    data: Any,
    recipe: dict[str, Any],
    runtime: dict[str, Any],
    scratch: Path,
    tokens_per_step: int,
    callbacks: list[Callback],
    logger: Logger | None,
) -> Recorder:
    """Train for `recipe["max_steps"]`, or until a callback stops it, then make sure that the last step is validated.

    The module has a `network`, and leaves each validation's values, named by `measures`, in `validation`; the data has
    an `order`. recipe holds max_steps, accumulate, gradient_clip, precision, compile, validate_every, faults, seed;
    runtime the trainer's device, how often a checkpoint is made, and what is shown. Curves and checkpoints grow in
    `scratch`; where that holds a checkpoint, the training goes on from it. Returns the recorder, which knows the speed.
    """
    _quiet()
    device = set_up(runtime)
    precision = automatic_precision(device) if recipe["precision"] == "auto" else recipe["precision"]
    trained: Any = module
    network = trained.network
    peak = _peak_flops(precision, device)
    recorder = Recorder(
        scratch, runtime["log_every"], tokens_per_step, trained.measures, network.flops_per_token(), peak
    )
    steps = recipe["max_steps"]
    show = sys.stderr.isatty() if runtime["progress"] == "auto" else bool(runtime["progress"])
    faults = Faults(scratch, data.order, **recipe["faults"])
    checkpoints = Checkpoints(
        scratch,
        trained,
        data.order,
        recorder,
        [faults, *callbacks],
        every=runtime["checkpoint_every"],
        seconds=runtime["checkpoint_seconds"],
        at_once=faults.action == SKIP,
    )
    bar = [Bar(recorder, data.order)] if show else []
    beside = [SeedEachBatch(recipe["seed"]), recorder, faults, *callbacks, checkpoints, *bar]
    if recipe["compile"]:
        network.compile()
    trained.batch_mode = runtime["batch"]
    while True:
        trainer = _trainer(recipe, runtime, device, precision, scratch, beside, logger, show)
        checkpoints.resume(trainer)
        if checkpoints.step:
            log.info(f"going on from step {checkpoints.step:,} of {steps:,}, as kept in {scratch}")
        if checkpoints.unvalidated:
            trainer.validate(module, data, verbose=False)
        if checkpoints.finished or trainer.should_stop or checkpoints.step >= steps:
            break
        try:
            with clear_mishaps():
                trainer.fit(module, data)
            break
        except Fault as fault:
            log.warning(str(fault))
            faults.leave_out(trainer.global_step)
    checkpoints.stop()
    if trained.validation.get("step") != trainer.global_step:
        trainer.validate(module, data, verbose=False)
    if data.order.left_out:
        recorder.left_out = {"left_out": sorted(data.order.left_out)}
    return recorder


def _trainer(
    recipe: dict[str, Any],
    runtime: dict[str, Any],
    device: torch.device,
    precision: Any,
    scratch: Path,
    callbacks: list[Callback],
    logger: Logger | None,
    show: bool,
) -> Trainer:
    steps, accumulate = recipe["max_steps"], recipe["accumulate"]
    trainer = Trainer(
        **runtime["trainer"] | {"accelerator": device.type},
        max_steps=steps,
        max_epochs=-1,
        accumulate_grad_batches=accumulate,
        gradient_clip_val=recipe["gradient_clip"] or None,
        precision=precision,
        val_check_interval=max(1, min(recipe["validate_every"], steps)) * accumulate,
        check_val_every_n_epoch=None,
        log_every_n_steps=runtime["log_every"],
        num_sanity_val_steps=0,
        inference_mode=False,  # a validation before or after the training computes as those within it do
        use_distributed_sampler=False,
        deterministic=runtime["deterministic"],
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=show,
        logger=logger or False,
        callbacks=callbacks,
        default_root_dir=str(scratch),
    )
    # deterministic mode would also overwrite each new tensor with NaN first; our code reads none before it is written
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    return trainer


def _peak_flops(precision: Any, device: torch.device) -> float | None:
    """The GPU's published peak, where Lightning knows it, for model FLOPs utilisation."""
    if device.type != "cuda":
        return None
    dtype = torch.bfloat16 if "bf16" in str(precision) else torch.float32
    peak = get_available_flops(device, dtype)
    return float(peak) if peak else None


def _quiet() -> None:
    """Leave the terminal to the run: Lightning's tips and notes on devices say nothing that the user asked for."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # windows are cut in microseconds: more worker processes would only cost memory
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    # Lightning 2.6 calls what the newest torch renames
    warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*")
    # our samplers go by index, so a distributed one is neither wanted nor needed
    warnings.filterwarnings("ignore", message=".*use_distributed_sampler.*")
