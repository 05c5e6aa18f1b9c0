"""Warn of a training that will not fit into this machine's memory, or will take too long."""

import logging
import math
import statistics
import time
from itertools import pairwise
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer

from foundling.costs import GIB, HOUR, precision_of
from foundling.device import automatic_precision, device_count
from foundling.division import Share
from foundling.memory import activation_bytes, free_memory, microbatches_that_fit
from foundling.model.gpt import GPT
from foundling.model.interface import LanguageModel
from foundling.processes import is_first_process
from foundling.settings.runtime import ACTIVATION_CHECKPOINTING, Runtime
from foundling.settings.training import Pretrain

log = logging.getLogger(__name__)
TIMED = 3  # steps, after the first, which still allocates memory and starts threads


def warn_of_memory(
    network: LanguageModel, settings: Pretrain, runtime: Runtime, device: torch.device
) -> None:
    """Log a one-line warning before a training that exceeds the memory."""
    if not settings.max_steps or not isinstance(network, GPT):  # a custom architecture's needs are unknown
        return
    precision = precision_of(settings.precision, automatic_precision(device))
    accumulate = settings.accumulate
    devices = device_count(runtime.trainer) * runtime.trainer.num_nodes
    share = Share(network.config, runtime.trainer.strategy, devices)
    shape = share.part
    windows = math.ceil(settings.batch_size / accumulate / share.batch_divisor)
    state = sum(share.state_bytes(settings.optimizer.target.rpartition(".")[2], precision).values())
    every = runtime.activation_checkpointing
    needed = state + activation_bytes(shape, windows * shape.context, precision, every)
    free = float(torch.cuda.mem_get_info(device)[0]) if device.type == "cuda" else free_memory()
    if needed > free:
        count = microbatches_that_fit(shape, windows, precision, free - state, every)
        fix = "choose a smaller model, a shorter model.context or a larger machine"
        if count is None and activation_bytes(shape, shape.context, precision, 1) <= free - state:
            fix = f"try {ACTIVATION_CHECKPOINTING}=1, with a microbatch of one window"
        if count is not None:
            fix = (
                f"try pretrain.accumulate={count * accumulate}, which computes the same in smaller "
                "microbatches"
            )
        log.warning(
            f"pretrain: needs about {needed / GIB:,.1f} GiB of memory, but only {free / GIB:,.1f} GiB are "
            f"free; {fix}"
        )


class TimeBudget(Callback):
    """Warns after the first steps if the training will take longer than `hours`; never if that is None."""

    def __init__(self, hours: float | None, max_steps: int) -> None:
        self.hours, self.max_steps = hours, max_steps
        self.ends: list[float] = []  # of the steps that are timed

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self.hours is None or len(self.ends) > TIMED:
            return
        self.ends.append(time.perf_counter())
        if len(self.ends) <= TIMED:
            return
        seconds = statistics.median(end - start for start, end in pairwise(self.ends))
        needed = seconds * self.max_steps / HOUR
        if needed > self.hours and is_first_process():
            log.warning(
                f"pretrain: {self.max_steps:,} steps will take about {needed:,.3g} hours, more than "
                f"runtime.budget_hours={self.hours:g}; choose fewer steps, a smaller model or a higher budget"
            )
