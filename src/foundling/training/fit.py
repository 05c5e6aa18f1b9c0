"""Fit a module: build Trainer and callbacks, and train from the newest checkpoint to the last step."""

import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, Trainer
from lightning.fabric.utilities.throughput import get_available_flops
from lightning.pytorch.loggers import Logger
from lightning.pytorch.strategies import ModelParallelStrategy, Strategy

from foundling.data.datamodule import TrainingData
from foundling.device import automatic_precision, device_count, set_up
from foundling.processes import has_rank, is_first_process
from foundling.settings import runtime as settings
from foundling.settings.runtime import FSDP, TENSOR_PARALLEL, Logits, Runtime
from foundling.training.activations import checkpoint_activations
from foundling.training.faults import Fault, FaultDetector
from foundling.training.module import Loop, TrainingModule
from foundling.training.progress import ProgressBar
from foundling.training.recorder import Recorder
from foundling.training.resume import Checkpoints

log = logging.getLogger(__name__)


def fit(
    module: TrainingModule,
    data: TrainingData,
    loop: Loop,
    runtime: Runtime,
    scratch: Path,
    callbacks: Sequence[Callback] = (),
    logger: Logger | None = None,
    watchers: Sequence[Callback] = (),
) -> Recorder:
    """Train for `loop.max_steps` steps, or until a callback stops the training, then validate.

    Curves and checkpoints are written to `scratch`; if it contains a checkpoint, training resumes from there.
    A checkpoint includes the state of `callbacks`, but not of `watchers`, which have none. Returns the
    recorder, which has measured the throughput.
    """
    _silence_lightning()
    device = set_up(runtime)
    step = loop.settings
    precision: Any = automatic_precision(device) if step.precision == "auto" else step.precision
    flops, peak = module.network.flops_per_token(), _peak_flops(precision, device)
    recorder = Recorder(scratch, runtime.log_every, data.tokens_per_step, module.measures, flops, peak)
    faults = FaultDetector(scratch, data.order, step.faults)
    # torch.compile and FSDP2 know the forward pass as a whole, with its logits
    logits: Logits = "whole" if step.compile or runtime.trainer.strategy == FSDP else runtime.logits
    module.prepare(loop, recorder, faults, split_when_full=runtime.batch == "auto", logits=logits)
    checkpoints = Checkpoints(scratch, module, data.order, [recorder, faults, *callbacks], runtime)
    # checkpoints come last: one saved after a validation must include the other callbacks' state after it
    ordered: list[Callback] = [recorder, *callbacks, *watchers, checkpoints]
    show = sys.stderr.isatty() if runtime.progress == "auto" else runtime.progress
    if show and is_first_process():
        ordered.append(ProgressBar(recorder, data.order))
    if runtime.activation_checkpointing:
        checkpoint_activations(module.network, runtime.activation_checkpointing)
    if step.compile:
        module.network.compile()
    new_trainer = partial(
        _new_trainer,
        loop,
        runtime,
        accelerator=device.type,
        precision=precision,
        enable_progress_bar=show and is_first_process(),
        logger=logger or False,
        callbacks=ordered,
        default_root_dir=str(scratch),
    )
    _train(module, data, checkpoints, new_trainer)
    module.unshard()
    recorder.skipped = sorted(data.order.skipped)
    return recorder


def _new_trainer(loop: Loop, runtime: Runtime, **options: Any) -> Trainer:
    """Lightning's Trainer as we use it: `options`, and what is the same in each training."""
    # deterministic mode would also fill each new tensor with NaN; none is read before it is written
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    return Trainer(
        devices=device_count(runtime.trainer) if has_rank() else runtime.trainer.devices,  # type: ignore[arg-type]
        strategy=_strategy(runtime.trainer),
        num_nodes=runtime.trainer.num_nodes,
        max_steps=loop.max_steps,
        max_epochs=-1,
        val_check_interval=max(1, min(loop.validate_every, loop.max_steps)),
        check_val_every_n_epoch=None,
        log_every_n_steps=runtime.log_every,
        num_sanity_val_steps=0,
        inference_mode=False,  # a validation before or after the training computes as those within it do
        use_distributed_sampler=False,
        deterministic=runtime.deterministic,
        enable_checkpointing=False,
        enable_model_summary=False,
        **options,
    )


def _strategy(trainer: settings.Trainer) -> str | Strategy:
    """Lightning's strategy; on a single device, weights are not divided."""
    if trainer.strategy not in (FSDP, TENSOR_PARALLEL):
        return trainer.strategy
    world = int(os.environ.get("WORLD_SIZE", device_count(trainer) * trainer.num_nodes))
    if world == 1:
        return "auto"
    sizes = (world, 1) if trainer.strategy == FSDP else (1, world)
    return ModelParallelStrategy(*sizes)


def _train(
    module: TrainingModule, data: TrainingData, checkpoints: Checkpoints, new_trainer: Callable[[], Trainer]
) -> None:
    """Train from the newest checkpoint to the last step, and validate; restart after a fault."""
    while True:
        trainer = new_trainer()
        checkpoints.resume(trainer)
        if checkpoints.unvalidated:
            trainer.validate(module, data, verbose=False)
        if not checkpoints.finished and not trainer.should_stop and checkpoints.step < trainer.max_steps:
            try:
                with _one_line_error_for_dead_workers():
                    trainer.fit(module, data)
                checkpoints.exit_if_signalled()
            except Fault as fault:
                log.warning(str(fault))
                module.faults.skip_batch(trainer.global_step)
                continue
        if module.validation.get("step") != checkpoints.step:
            trainer.validate(module, data, verbose=False)
        return


@contextmanager
def _one_line_error_for_dead_workers() -> Iterator[None]:
    """Raise a one-line ValueError when a data worker dies, instead of a traceback."""
    try:
        yield
    except (RuntimeError, ConnectionError, EOFError) as error:  # the last two: it died while sending
        if isinstance(error, RuntimeError) and "DataLoader worker" not in str(error):
            raise
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ValueError(
            f"a data worker died ({reason}), perhaps because memory ran out; run the command again, with "
            "runtime.workers=0 if it happens again"
        ) from None


def _peak_flops(precision: Any, device: torch.device) -> float | None:
    """The GPU's published peak FLOP/s, for model FLOPs utilization; None if Lightning does not list it."""
    if device.type != "cuda":
        return None
    dtype = torch.bfloat16 if "bf16" in str(precision) else torch.float32
    peak = get_available_flops(device, dtype)
    return float(peak) if peak else None


def _silence_lightning() -> None:
    """Suppress Lightning's tips, its messages about devices, and warnings that do not apply here."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # reading a batch takes microseconds: more worker processes would only cost memory
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    # Lightning 2.6 calls a function that the newest torch deprecates
    warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*")
    # our batch samplers divide the indices among processes, so Lightning's distributed sampler is not needed
    warnings.filterwarnings("ignore", message=".*use_distributed_sampler.*")
