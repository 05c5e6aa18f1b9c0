"""Fit a module: the Trainer put together from the recipe (what comes out) and the runtime (how it is carried out)."""

import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, Trainer
from lightning.fabric.utilities.throughput import get_available_flops
from lightning.pytorch.loggers import Logger

from foundling.device import automatic_precision, set_up
from foundling.training.faults import SKIP, Fault, Faults
from foundling.training.module import TrainingModule
from foundling.training.progress import ProgressBar
from foundling.training.recorder import Recorder
from foundling.training.resume import Checkpoints

log = logging.getLogger(__name__)


def fit(
    module: TrainingModule,
    data: Any,
    recipe: dict[str, Any],
    runtime: dict[str, Any],
    scratch: Path,
    tokens_per_step: int,
    callbacks: list[Callback],
    logger: Logger | None,
) -> Recorder:
    """Train for `recipe["max_steps"]`, or until a callback stops it, then make sure that the last step is validated.

    The data module has an `order`, which a fault may change. recipe holds max_steps, accumulate, gradient_clip,
    precision, compile, validate_every, faults and seed; runtime the trainer's device, how often a checkpoint is saved,
    and what is shown. Curves and checkpoints are written to `scratch`; if that holds a checkpoint, training resumes
    from it. Returns the recorder, which has the speed.
    """
    _quiet()
    device = set_up(runtime)
    precision = automatic_precision(device) if recipe["precision"] == "auto" else recipe["precision"]
    flops, peak = module.network.flops_per_token(), _peak_flops(precision, device)
    recorder = Recorder(scratch, runtime["log_every"], tokens_per_step, module.measures, flops, peak)
    faults = Faults(scratch, data.order, **recipe["faults"])
    module.prepare(
        seed=recipe["seed"],
        accumulate=recipe["accumulate"],
        gradient_clip=recipe["gradient_clip"],
        split_when_full=runtime["batch"] == "auto",
        recorder=recorder,
        faults=faults,
    )
    checkpoints = Checkpoints(
        scratch,
        module,
        data.order,
        recorder,
        [faults, *callbacks],
        every=runtime["checkpoint_every"],
        seconds=runtime["checkpoint_seconds"],
        at_once=faults.action == SKIP,
    )
    show = sys.stderr.isatty() if runtime["progress"] == "auto" else bool(runtime["progress"])
    # in this order: a checkpoint after a validation must hold what the recorder and the stage's callbacks made of it
    ordered = [recorder, *callbacks, checkpoints, *([ProgressBar(recorder, data.order)] if show else [])]
    if recipe["compile"]:
        module.network.compile()
    new_trainer = partial(_trainer, recipe, runtime, device, precision, scratch, ordered, logger, show)
    trainer, step = _train(module, data, checkpoints, new_trainer)
    if module.validation.get("step") != step:
        trainer.validate(module, data, verbose=False)
    if data.order.left_out:
        recorder.left_out = {"left_out": sorted(data.order.left_out)}
    return recorder


def _train(
    module: TrainingModule, data: Any, checkpoints: Checkpoints, new_trainer: Callable[[], Trainer]
) -> tuple[Trainer, int]:
    """Train from the newest checkpoint to the last step; returns the Trainer and the step reached.

    A fault sends the training back to its last checkpoint, with a new Trainer.
    """
    while True:
        trainer = new_trainer()
        checkpoints.resume(trainer)
        if checkpoints.unvalidated:
            trainer.validate(module, data, verbose=False)
        if checkpoints.finished or trainer.should_stop or checkpoints.step >= trainer.max_steps:
            return trainer, checkpoints.step
        try:
            with _one_line_for_dead_workers():
                trainer.fit(module, data)
            checkpoints.stop()
            return trainer, trainer.global_step
        except Fault as fault:
            log.warning(str(fault))
            module.faults.leave_out(trainer.global_step)


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
    steps = recipe["max_steps"]
    trainer = Trainer(
        **runtime["trainer"] | {"accelerator": device.type},
        max_steps=steps,
        max_epochs=-1,
        precision=precision,
        val_check_interval=max(1, min(recipe["validate_every"], steps)),
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


@contextmanager
def _one_line_for_dead_workers() -> Iterator[None]:
    """A data worker that dies is one line, not the traceback of the process that waited for it."""
    try:
        yield
    except (RuntimeError, ConnectionError, EOFError) as error:  # the latter two if it died while sending
        if isinstance(error, RuntimeError) and "DataLoader worker" not in str(error):
            raise
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ValueError(
            f"a process that prepares batches died ({reason}), perhaps because memory was full; run the command "
            "again, with runtime.workers=0 if it happens again"
        ) from None


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
