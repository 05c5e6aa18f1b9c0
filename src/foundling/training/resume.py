"""Exact resume: save a training's whole state between two steps, and resume from the newest checkpoint.

The checkpoint of step s is saved before the batch of step s + 1 is computed, when everything that follows
step s (rows, snapshots, validation) is done, so that nothing is repeated. Lightning's own restart is not
used, because it repeats or skips parts of a validation depending on when the file was saved; instead, its
counters are set before it starts.
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
from typing import Any, Protocol

import torch
from lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn

from foundling.artifacts import fingerprint, sha256
from foundling.data.loading import BatchOrder
from foundling.device import name_of
from foundling.settings.runtime import Runtime
from foundling.training import checkpoint
from foundling.training.module import TrainingModule

log = logging.getLogger(__name__)
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)  # SLURM sends the last before a time limit
OVERHEAD = 0.02  # largest fraction of the time that may be spent on checkpoints
PACKAGE = Path(__file__).parents[1]


class Stateful(Protocol):
    """An object whose state is part of a checkpoint."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> None: ...


class Checkpoints(Callback):
    """Saves the state of `module` and of the objects `stateful` in `folder`, and restores it.

    A checkpoint is saved every `runtime.checkpoint_every` steps and after each validation, but not within
    `runtime.checkpoint_seconds` of the previous one; at the end; when a signal asks the training to stop; and
    before the first step if faults are skipped, since its batch may turn out to be bad.
    """

    def __init__(
        self,
        folder: Path,
        module: TrainingModule,
        order: BatchOrder,
        stateful: Sequence[Stateful],
        runtime: Runtime,
    ) -> None:
        self.folder, self.module, self.order = folder, module, order
        self.stateful = {type(part).__name__: part for part in stateful}
        self.every, self.seconds = runtime.checkpoint_every, runtime.checkpoint_seconds
        self.step, self.finished, self.unvalidated = 0, False, False
        self.signal: signal.Signals | None = None
        self._loaded: dict[str, Any] | None = None
        self._saved_at, self._saved_step, self._seconds_per_save = time.monotonic(), 0, 0.0

    def resume(self, trainer: Trainer) -> None:
        """Restore the newest valid checkpoint, if any: weights, stateful objects, trainer's counters."""
        state = self._loaded = checkpoint.load(self.folder)
        if state is None:
            return
        self.step, self.finished, self.unvalidated = state["step"], state["finished"], state["unvalidated"]
        parameters = self._parameters()
        with torch.no_grad():
            for name, weight in state["weights"].items():
                parameters[name].copy_(self._divide(weight, parameters[name]))
        self.module.validation = state["validation"]
        self.order.first = self.step
        self.order.skipped |= set(state["skipped"])
        for name, part in state["stateful"].items():
            self.stateful[name].load_state_dict(part)
        loop = trainer.fit_loop.epoch_loop
        loop.batch_progress.total.increment_by(self.step)
        loop.manual_optimization.optim_step_progress.total.increment_by(self.step)
        log.info(f"resuming from step {self.step:,}, saved in {self.folder}")
        before, now = state["made_on"], made_on(trainer.strategy.root_device)
        changed = [
            f"{name} was {before.get(name)} and is {now[name]}"
            for name in now
            if now[name] != before.get(name)
        ]
        if changed:
            log.warning(
                f"the result may differ from an uninterrupted run in the last bits: {', '.join(changed)}"
            )

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Restore what exists only from now on (optimizer, schedule, precision); install signal handlers."""
        if self._loaded is not None:
            optimizer, state = trainer.optimizers[0], self._loaded["optimizer"]
            optimizer.load_state_dict(
                {**state, "state": checkpoint.change_states(optimizer, state["state"], self._divide)}
            )
            trainer.lr_scheduler_configs[0].scheduler.load_state_dict(self._loaded["schedule"])
            trainer.precision_plugin.load_state_dict(self._loaded["precision"])
            self._loaded = None
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                signal.signal(number, self._on_signal)
        self._saved_at, self._saved_step = time.monotonic(), self.step

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Between two steps: save a checkpoint if one is due, and exit if a signal was received."""
        self.step = trainer.global_step
        signalled = self._signalled(trainer)
        if signalled or self._any(trainer, self._due(), where=self.module.sharded is not None):
            self._save(trainer)
        if signalled:
            self.exit_if_signalled()

    def on_validation_batch_start(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Exit during a validation, which may be long; the resumed training repeats it."""
        if self._signalled(trainer):
            self.step = trainer.global_step
            self._save(trainer, unvalidated=True)
            self.exit_if_signalled()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the last step, so that a kill during the evaluation that follows repeats no step."""
        self.step, self.finished = trainer.global_step, True
        self._save(trainer)

    def exit_if_signalled(self) -> None:
        """Exit with the signal's exit code, after a line that says how to continue."""
        if self.signal is None:
            return
        if self.signal == signal.SIGUSR1 and "SLURM_JOB_ID" in os.environ:
            requeue()
        log.warning(
            f"stopped by {self.signal.name} after step {self.step:,}; the same command resumes from there"
        )
        raise SystemExit(128 + self.signal)

    def _on_signal(self, number: int, frame: Any) -> None:
        if self.signal is not None:  # the second one: exit at once
            raise SystemExit(128 + number)
        self.signal = signal.Signals(number)

    def _signalled(self, trainer: Trainer) -> bool:
        """Whether any process of the training received a signal."""
        return self._any(trainer, self.signal is not None, where=trainer.world_size > 1)

    def _any(self, trainer: Trainer, decision: bool, where: bool) -> bool:
        """Whether any process decided so, `where` they have to agree; else this one's decision."""
        return trainer.strategy.reduce_boolean_decision(decision, all=False) if where else decision

    def _due(self) -> bool:
        if self.step == 0:
            return self.module.faults.settings.action == "skip"
        steps = self.step - self._saved_step
        validated = steps > 0 and self.module.validation.get("step") == self.step
        elapsed = time.monotonic() - self._saved_at
        return (steps >= self.every or validated) and elapsed >= max(
            self.seconds, self._seconds_per_save / OVERHEAD
        )

    def _save(self, trainer: Trainer, unvalidated: bool = False) -> None:
        started = time.monotonic()
        tensors = self._tensors(trainer)
        if trainer.is_global_zero:
            checkpoint.save(self.folder, self.step, {**tensors, **self._state(trainer, unvalidated)})
        self._saved_at, self._saved_step = time.monotonic(), self.step
        self._seconds_per_save = self._saved_at - started
        self.module.recorder.start_clock()

    def _tensors(self, trainer: Trainer) -> dict[str, Any]:
        """The trained weights and the optimizer's state; shards of them are gathered from all processes."""
        parameters, optimizer = self._parameters(), trainer.optimizers[0]
        state = optimizer.state_dict()
        return {
            "weights": {name: self._collect(p, p) for name, p in parameters.items() if p.requires_grad},
            "optimizer": {
                **state,
                "state": checkpoint.change_states(optimizer, state["state"], self._collect),
            },
        }

    def _parameters(self) -> dict[str, nn.Parameter]:
        """The network's parameters, or this process's shards of them, by name."""
        sharded = self.module.sharded
        return dict(self.module.network.named_parameters()) if sharded is None else sharded.parameters()

    def _collect(self, tensor: Tensor, parameter: Tensor) -> Tensor:
        sharded = self.module.sharded
        return tensor if sharded is None else sharded.collect(tensor, parameter)

    def _divide(self, tensor: Tensor, parameter: Tensor) -> Tensor:
        sharded = self.module.sharded
        return tensor if sharded is None else sharded.divide(tensor, parameter)

    def _state(self, trainer: Trainer, unvalidated: bool) -> dict[str, Any]:
        """Everything else that the remaining steps depend on; it is the same in each of several processes."""
        return {
            "step": self.step,
            "finished": self.finished,
            "unvalidated": unvalidated,
            "validation": self.module.validation,
            "skipped": sorted(self.order.skipped),
            "schedule": trainer.lr_scheduler_configs[0].scheduler.state_dict(),
            "precision": trainer.precision_plugin.state_dict(),
            "stateful": {name: state for name, part in self.stateful.items() if (state := part.state_dict())},
            "made_on": made_on(trainer.strategy.root_device),
        }


def made_on(device: torch.device) -> dict[str, str | int]:
    """What the exact result depends on besides recipe and packages: device, threads, and this program."""
    return {"device": name_of(device), "threads": torch.get_num_threads(), "program": _program()}


@cache
def _program() -> str:
    files = sorted(PACKAGE.rglob("*.py"))
    return fingerprint({file.relative_to(PACKAGE).as_posix(): sha256(file) for file in files})[:12]


def requeue() -> None:
    """Ask SLURM to run this job again."""
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    job = f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}" if array else os.environ["SLURM_JOB_ID"]
    try:
        subprocess.run(["scontrol", "requeue", job], check=True, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        log.warning(f"SLURM did not requeue job {job} ({error}); submit it again to resume")
