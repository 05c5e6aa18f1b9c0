"""Before a training begins: a warning where it will not fit into this machine's memory, or takes longer than it may."""

import copy
import logging
import math
from collections.abc import Callable
from typing import Any

import torch
from torch.optim import Optimizer

from foundling.costs import HOUR, activation_bytes, free_memory, parts_that_fit, precision_of, state_bytes
from foundling.device import automatic_precision
from foundling.model.gpt import GPT
from foundling.training.calibration import measure

log = logging.getLogger(__name__)
GIB = 2.0**30


def warn(
    network: GPT,
    make_optimizer: Callable[[Any], Optimizer],
    settings: dict[str, Any],
    runtime: dict[str, Any],
    device: torch.device,
) -> None:
    """Say in one line what will not fit, else what will take longer than runtime.budget_hours; settings are pretrain's.

    The time is that of three steps on a copy of the network; validation and compilation are not counted.
    """
    if not settings["max_steps"]:
        return
    on_gpu = device.type == "cuda"
    precision = precision_of(settings["precision"], automatic_precision(device))
    shape = network.config
    kind = settings["optimizer"]["_target_"].rpartition(".")[2]
    devices = _devices(runtime["trainer"]["devices"]) if on_gpu else 1
    windows = math.ceil(settings["batch_size"] / settings["accumulate"] / devices)
    state = sum(state_bytes(shape, kind, precision).values())
    needed = state + activation_bytes(shape, windows * shape.context, precision, checkpointed=False)
    free = float(torch.cuda.mem_get_info(device)[0]) if on_gpu else free_memory()
    if needed > free:
        log.warning(
            f"pretrain: about {needed / GIB:,.1f} GiB of memory are needed and {free / GIB:,.1f} are free; "
            + _mend(parts_that_fit(shape, windows, precision, free - state), settings["accumulate"])
        )
    elif runtime["budget_hours"] is not None:
        clone = copy.deepcopy(network).to(device)
        batch = {name: settings[name] for name in ("accumulate", "gradient_clip")}
        batch["batch_size"] = windows * settings["accumulate"]
        speed = measure(clone, make_optimizer, precision=precision, seconds=0, least=1, **batch)
        hours = speed.seconds * settings["max_steps"] / HOUR
        if hours > runtime["budget_hours"]:
            log.warning(
                f"pretrain: {settings['max_steps']:,} steps will take about {hours:,.3g} hours, more than "
                f"runtime.budget_hours={runtime['budget_hours']}; take fewer steps, a smaller model or a higher budget"
            )


def _mend(parts: int | None, accumulate: int) -> str:
    """What makes it fit: the accumulation whose parts do, or something else where none does."""
    if parts is None:
        return "take a smaller model, a shorter model.context or a larger machine"
    return f"try pretrain.accumulate={parts * accumulate}, which computes the same in smaller parts"


def _devices(asked: int | str) -> int:
    return int(asked) if str(asked).isdigit() and int(asked) > 0 else torch.cuda.device_count()
