"""Warn before a training that will not fit into this machine's memory, or will take too long."""

import copy
import logging
import math
from collections.abc import Callable
from typing import Any

import torch
from torch.optim import Optimizer

from foundling.costs import (
    GIB,
    HOUR,
    activation_bytes,
    free_memory,
    microbatches_that_fit,
    precision_of,
    state_bytes,
)
from foundling.device import automatic_precision, device_count
from foundling.model.gpt import GPT
from foundling.model.interface import LanguageModel
from foundling.settings.runtime import Runtime
from foundling.settings.training import Pretrain
from foundling.training.calibration import measure

log = logging.getLogger(__name__)


def warn(
    network: LanguageModel,
    make_optimizer: Callable[[Any], Optimizer],
    settings: Pretrain,
    runtime: Runtime,
    device: torch.device,
) -> None:
    """Log a one-line warning if the training exceeds the memory, or else if it exceeds runtime.budget_hours.

    The time is extrapolated from three steps on a copy of the network; validation and compilation are not
    included.
    """
    if not settings.max_steps:
        return
    precision = precision_of(settings.precision, automatic_precision(device))
    shape, accumulate = network.config, settings.accumulate
    windows = math.ceil(settings.batch_size / accumulate / device_count(runtime.trainer))
    state = needed = 0.0  # bytes; unknown for a custom architecture
    if isinstance(network, GPT):
        state = sum(state_bytes(shape, settings.optimizer.target.rpartition(".")[2], precision).values())
        needed = state + activation_bytes(shape, windows * shape.context, precision, checkpointed=False)
    free = float(torch.cuda.mem_get_info(device)[0]) if device.type == "cuda" else free_memory()
    if needed > free:
        count = microbatches_that_fit(shape, windows, precision, free - state)
        fix = "choose a smaller model, a shorter model.context or a larger machine"
        if count is not None:
            fix = (
                f"try pretrain.accumulate={count * accumulate}, which computes the same in smaller "
                "microbatches"
            )
        log.warning(
            f"pretrain: needs about {needed / GIB:,.1f} GiB of memory, but only {free / GIB:,.1f} GiB are "
            f"free; {fix}"
        )
    elif runtime.budget_hours is not None:
        speed = measure(
            copy.deepcopy(network).to(device),
            make_optimizer,
            batch_size=windows * accumulate,
            accumulate=accumulate,
            gradient_clip=settings.gradient_clip,
            precision=precision,
            seconds=0,
            min_steps=1,
        )
        hours = speed.seconds * settings.max_steps / HOUR
        if hours > runtime.budget_hours:
            log.warning(
                f"pretrain: {settings.max_steps:,} steps will take about {hours:,.3g} hours, more than "
                f"runtime.budget_hours={runtime.budget_hours:g}; choose fewer steps, a smaller model or a "
                "higher budget"
            )
