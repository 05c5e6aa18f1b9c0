"""How fast this machine trains a network: whole steps on random tokens, timed."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from foundling.model.interface import LanguageModel
from foundling.model.language_loss import language_loss

WARM_UP = 2  # steps that still allocate memory and start threads
MIXED = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


@dataclass(frozen=True)
class Speed:
    """The median time of a step, and the number of steps timed."""

    seconds: float
    steps: int


def measure(
    network: LanguageModel,
    make_optimizer: Callable[[nn.Module], Optimizer],
    *,
    batch_size: int,
    accumulate: int,
    gradient_clip: float,
    precision: str,
    seconds: float,
    min_steps: int,
) -> Speed:
    """Train `network`, in place and on its device, for `seconds`, but for at least `min_steps` timed steps.

    A step does what a training step does: forward and backward passes of `accumulate` microbatches,
    `batch_size` windows in total, then gradient clipping and the optimizer's update. The random number
    generators keep their state.
    """
    config: Any = network.config
    device = next(network.parameters()).device
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(
        config.vocab_size, (batch_size // accumulate, config.context), generator=generator
    ).to(device)
    mixed = torch.autocast(device.type, MIXED.get(precision), enabled=precision in MIXED)
    times: list[float] = []
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        optimizer = make_optimizer(network.train())
        started = time.perf_counter()
        while len(times) < WARM_UP + min_steps or time.perf_counter() - started < seconds:
            start = time.perf_counter()
            for _ in range(accumulate):
                with mixed:
                    loss = language_loss(network, ids, ids) / accumulate
                loss.backward()  # type: ignore[no-untyped-call]
            if gradient_clip:
                nn.utils.clip_grad_norm_(network.parameters(), gradient_clip)
            optimizer.step()
            optimizer.zero_grad()
            if device.type != "cpu":
                torch.accelerator.synchronize(device)
            times.append(time.perf_counter() - start)
    timed = times[WARM_UP:]
    return Speed(statistics.median(timed), len(timed))
