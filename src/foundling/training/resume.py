"""Exact resume: checkpoints of a training's whole state between two steps, and going on from the newest.

A checkpoint of step s is taken before the first batch of step s + 1, when all that step s brings about (rows,
snapshots, validation) has happened; so there is one place to go on from, and nothing is done twice. Lightning's own
restart, which replays or skips parts of a validation by where a file was saved, is not used: its counters are set
before it starts.
"""

import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer

from foundling.artifacts import fingerprint, sha256
from foundling.data.loading import BatchOrder
from foundling.device import name_of
from foundling.training import checkpoint
from foundling.training.recorder import Recorder

log = logging.getLogger(__name__)
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)  # the last one is SLURM's before a job's time is over
RARELY = 50  # times the time that a checkpoint takes lie between two: they cost 2 % at most
PACKAGE = Path(__file__).parents[1]


class Checkpoints(Callback):
    """Keep the state of `module` and of the callbacks `keepers` in `folder`, and put it back.

    One is made `every` steps and after each validation, but not within `seconds` of the one before; one at the end; one
    when a signal asks to stop; and, if `at_once`, one before the first step.
    """

    def __init__(
        self,
        folder: Path,
        module: Any,
        order: BatchOrder,
        recorder: Recorder,
        keepers: Sequence[Any],
        *,
        every: int,
        seconds: float,
        at_once: bool,
    ) -> None:
        self.folder, self.module, self.order, self.recorder = folder, module, order, recorder
        self.keepers = {type(keeper).__name__: keeper for keeper in (recorder, *keepers)}
        self.every, self.seconds, self.at_once = every, seconds, at_once
        self.step, self.finished, self.unvalidated = 0, False, False
        self.asked: signal.Signals | None = None
        self._loaded: dict[str, Any] | None = None
        self._since, self._step_then, self._cost = time.monotonic(), 0, 0.0

    def resume(self, trainer: Trainer) -> None:
        """Go on from the newest whole checkpoint, if there is one: weights, keepers and a new trainer's counters."""
        state = self._loaded = checkpoint.load(self.folder)
        if state is None:
            return
        self.step, self.finished, self.unvalidated = state["step"], state["finished"], state["unvalidated"]
        parameters = dict(self.module.network.named_parameters())
        with torch.no_grad():
            for name, kept in state["weights"].items():
                parameters[name].copy_(kept)
        self.module.validation = state["validation"]
        self.order.first = self.step
        self.order.left_out |= set(state["left_out"])
        for name, kept in state["keepers"].items():
            self.keepers[name].load_state_dict(kept)
        loop = trainer.fit_loop.epoch_loop
        loop.batch_progress.total.increment_by(self.step)
        loop.manual_optimization.optim_step_progress.total.increment_by(self.step)
        log.info(f"resuming from step {self.step:,}, saved in {self.folder}")
        before, now = state["made_on"], made_on(trainer.strategy.root_device)
        changed = [f"{name} was {before.get(name)} and is {now[name]}" for name in now if now[name] != before.get(name)]
        if changed:
            log.warning(f"what goes on may differ from an uninterrupted run in the last bits: {', '.join(changed)}")

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put back what exists from now on: optimizer, schedule, precision. Listen to signals as long as it trains."""
        if self._loaded is not None:
            optimizer, state = trainer.optimizers[0], self._loaded["optimizer"]
            optimizer.load_state_dict({**state, "state": {int(k): v for k, v in state["state"].items()}})
            trainer.lr_scheduler_configs[0].scheduler.load_state_dict(self._loaded["schedule"])
            trainer.precision_plugin.load_state_dict(self._loaded["precision"])
            self._loaded = None
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                signal.signal(number, self._ask)
        self._since, self._step_then = time.monotonic(), self.step

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Between two steps: save if it is time, stop if it was asked for."""
        self.step = trainer.global_step
        stop = self._asked(trainer)
        if stop or self._due():
            self._save(trainer)
        if stop:
            self.stop()

    def on_validation_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """A validation may be long: stop in it, and begin it anew when the training goes on."""
        if self._asked(trainer):
            self.step = trainer.global_step
            self._save(trainer, unvalidated=True)
            self.stop()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the end, so that what is measured and written after it can be killed, too."""
        self.step, self.finished = trainer.global_step, True
        self._save(trainer)

    def stop(self) -> None:
        """If a signal asked for it, leave the process as the signal would have, with a line that says how to go on."""
        if self.asked is None:
            return
        if self.asked == signal.SIGUSR1 and "SLURM_JOB_ID" in os.environ:
            requeue()
        log.warning(f"stopped by {self.asked.name} after step {self.step:,}; the same command goes on from there")
        raise SystemExit(128 + self.asked)

    def _ask(self, number: int, frame: Any) -> None:
        if self.asked is not None:  # the second time: at once
            raise SystemExit(128 + number)
        self.asked = signal.Signals(number)

    def _asked(self, trainer: Trainer) -> bool:
        asked = self.asked is not None
        return trainer.strategy.reduce_boolean_decision(asked, all=False) if trainer.world_size > 1 else asked

    def _due(self) -> bool:
        if self.step == 0:
            return self.at_once
        steps = self.step - self._step_then
        validated = steps > 0 and self.module.validation.get("step") == self.step
        waited = time.monotonic() - self._since
        return (steps >= self.every or validated) and waited >= max(self.seconds, RARELY * self._cost)

    def _save(self, trainer: Trainer, unvalidated: bool = False) -> None:
        state = {
            "step": self.step,
            "finished": self.finished,
            "unvalidated": unvalidated,
            "validation": self.module.validation,
            "left_out": sorted(self.order.left_out),
            "weights": {n: p for n, p in self.module.network.named_parameters() if p.requires_grad},
            "optimizer": trainer.optimizers[0].state_dict(),
            "schedule": trainer.lr_scheduler_configs[0].scheduler.state_dict(),
            "precision": trainer.precision_plugin.state_dict(),
            "keepers": {name: kept for name, keeper in self.keepers.items() if (kept := keeper.state_dict())},
            "made_on": made_on(trainer.strategy.root_device),
        }
        began = time.monotonic()
        if trainer.is_global_zero:
            checkpoint.save(self.folder, self.step, state)
        self._since, self._step_then = time.monotonic(), self.step
        self._cost = self._since - began
        self.recorder.start_clock()


def made_on(device: torch.device) -> dict[str, Any]:
    """What bits depend on beside the recipe and the packages: device, threads, and this program itself."""
    return {"device": name_of(device), "threads": torch.get_num_threads(), "program": _program()}


@cache
def _program() -> str:
    files = sorted(PACKAGE.rglob("*.py"))
    return fingerprint({file.relative_to(PACKAGE).as_posix(): sha256(file) for file in files})[:12]


def requeue() -> None:
    """Ask SLURM to run this job once more."""
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    job = f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}" if array else os.environ["SLURM_JOB_ID"]
    try:
        subprocess.run(["scontrol", "requeue", job], check=True, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        log.warning(f"SLURM did not take job {job} back ({error}); submit it again, and it goes on")
