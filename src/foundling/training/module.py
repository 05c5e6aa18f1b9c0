"""The training step, in order: seed, loss, backward, check, clip, optimizer, schedule, record.

`TrainingModule.training_step` is the only place where weights change. Lightning drives the loop around it
(devices, precision, validation), and training/resume.py saves a checkpoint between two steps.

A batch is computed in `accumulate` microbatches, and in twice as many each time memory runs out. The loss of
a microbatch is its share of the mean over the whole batch, so the number of microbatches changes neither the
tokens per step nor, up to rounding, the result. Several processes (distributed data parallel) divide the
microbatches among them: each reads the whole batch and computes its own rows, and the gradients are added up.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from lightning import LightningModule
from lightning.pytorch.strategies import ModelParallelStrategy, ParallelStrategy
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from foundling.device import seed
from foundling.settings.runtime import ACTIVATION_CHECKPOINTING, Logits
from foundling.settings.training import Training
from foundling.training.faults import FaultDetector
from foundling.training.optim import Schedule
from foundling.training.recorder import Recorder
from foundling.training.sharding import clip, total_norm

if TYPE_CHECKING:
    from foundling.training.sharded_network import ShardedNetwork

log = logging.getLogger(__name__)
Batch = tuple[Tensor, ...]  # each (B, …)
SEED_STRIDE = 1_000_003  # distance between runs with adjacent seeds, so that their steps share no seed
CPU_OUT_OF_MEMORY = "can't allocate memory"  # torch's CPU allocator raises a plain RuntimeError


@dataclass(frozen=True)
class Loop:
    """How long a training runs, and its stage's section, which says how a step is computed."""

    settings: Training
    max_steps: int
    validate_every: int  # steps
    accumulate: int = 1  # microbatches of a batch


class TrainingModule(LightningModule):
    """A network with its optimizer and schedule: trains it on batches and validates it over a split.

    A subclass defines `loss`, `validation_sums` and `summarize`; `measures` lists the keys that `summarize`
    returns. `optimizer` makes the optimizer of a network; `schedule` maps a step to the factor of the
    learning rates.
    """

    measures: tuple[str, ...]

    def __init__(
        self, network: nn.Module, optimizer: Callable[[nn.Module], Optimizer], schedule: Schedule
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.network: Any = network
        self.sharded: ShardedNetwork | None = None  # while several devices divide the weights among them
        self.make_optimizer, self.schedule = optimizer, schedule
        self.logits: Logits = "auto"
        self.validation: dict[str, float] = {}  # measures of the newest complete validation, and its step

    def prepare(
        self,
        loop: Loop,
        recorder: Recorder,
        faults: FaultDetector,
        *,
        split_when_full: bool,
        logits: Logits = "auto",
    ) -> None:
        """Set how steps are computed, recorded and checked; `fit` calls this before the first one."""
        self.seed, self.gradient_clip = loop.settings.seed, loop.settings.gradient_clip
        self.microbatches, self.split_when_full = loop.accumulate, split_when_full
        self.recorder, self.faults, self.logits = recorder, faults, logits

    def configure_model(self) -> None:
        """Shard the network where the strategy does; Lightning calls this before it trains or validates."""
        if isinstance(self.trainer.strategy, ModelParallelStrategy) and self.sharded is None:
            from foundling.training.sharded_network import ShardedNetwork  # imports torch.distributed.tensor

            self.sharded = ShardedNetwork(self.network, self.trainer.strategy.device_mesh)
            self.network = self.sharded.network

    def gather(self) -> Any:
        """The network with the newest weights, whole; each of several processes has to call this."""
        if self.sharded is None:
            return self.network
        self.sharded.gather()
        return self.sharded.whole

    def unshard(self) -> None:
        """Make the network whole again, at the end of the training."""
        self.network, self.sharded = self.gather(), None

    def loss(self, microbatch: Batch, batch: Batch) -> Tensor:
        """The microbatch's share of the mean loss over `batch`, in nats; all shares add up to that mean."""
        raise NotImplementedError

    def validation_sums(self, batch: Batch) -> Tensor:
        """The validation batch's contribution to sums over the split, (K,)."""
        raise NotImplementedError

    def summarize(self, sums: Sequence[float]) -> dict[str, float]:
        """Measures of the whole split from the sums over it."""
        raise NotImplementedError

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Compute the gradients of one batch and update the weights once."""
        optimizer: Any = self.optimizers()
        schedule: Any = self.lr_schedulers()
        self._batch, self._loss = batch, self._backpropagate(batch)
        with self._without_autocast():
            optimizer.step()  # calls on_before_optimizer_step, below
        schedule.step()
        self.recorder.record(self.trainer, self._loss, self._norm)

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Check the step and clip its gradient, which is complete and, in float16, unscaled by now."""
        parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        self._norm = total_norm([p.grad for p in parameters])  # type: ignore[misc]
        self.faults.check(self.trainer, self.network, self._batch, self._loss, self._norm)
        if self.gradient_clip:
            clip(parameters, self.gradient_clip, self._norm)

    def _backpropagate(self, batch: Batch) -> Tensor:
        """Accumulate the batch's gradient in the parameters' `grad` and return its mean loss."""
        count = self.microbatches
        while True:
            self.zero_grad()
            try:
                loss = self._add_gradients(batch)
                break
            except RuntimeError as error:
                if not isinstance(error, torch.OutOfMemoryError) and CPU_OUT_OF_MEMORY not in str(error):
                    raise
            self._double_microbatches(batch)
        if self.microbatches > count:
            self._report_microbatches(batch)
        return loss

    def _add_gradients(self, batch: Batch) -> Tensor:
        """Add up the gradients of the batch's microbatches; returns the sum of their losses."""
        rank, world = self._place
        microbatches = _split(batch, world * max(1, min(self.microbatches, len(batch[0]) // world)))
        total = torch.zeros((), device=self.device)
        for number in range(rank, len(microbatches), world):
            # dropout is a function of (seed, step, microbatch), so that a resumed run draws the same masks
            seed(self.device, self.seed * SEED_STRIDE + self.global_step * len(microbatches) + number)
            loss = self._share(microbatches[number], batch)
            with self._without_autocast(), self._gradient_exchange(last=number + world >= len(microbatches)):
                self.manual_backward(loss * world)  # the processes' gradients are averaged
            total += loss.detach()
        return self._sum_over_processes(total)

    def _share(self, microbatch: Batch, batch: Batch) -> Tensor:
        """The microbatch's loss; 0, with gradients of 0, if it has no rows because the batch has too few."""
        if len(microbatch[0]):
            return self.loss(microbatch, batch)
        return 0 * self.loss(tuple(tensor[:1] for tensor in batch), batch)

    @property
    def _place(self) -> tuple[int, int]:
        """This process's number among those that divide the rows of a batch, and how many they are."""
        if self.sharded is not None and not self.sharded.divides_batches:
            return 0, 1
        return self.trainer.global_rank, self.trainer.world_size

    def _sum_over_processes(self, value: Tensor) -> Tensor:
        if self._place[1] == 1:
            return value
        summed: Any = self.trainer.strategy.reduce(value, reduce_op="sum")
        return summed

    def _without_autocast(self) -> AbstractContextManager[Any]:
        """Lightning runs the whole step under autocast; only the forward pass should be."""
        return torch.autocast(self.device.type, enabled=False)

    def _gradient_exchange(self, last: bool) -> AbstractContextManager[Any]:
        """With several processes, exchange gradients once a step: after the last microbatch."""
        strategy = self.trainer.strategy
        if last or not isinstance(strategy, ParallelStrategy):
            return nullcontext()
        return strategy.block_backward_sync()

    def _double_microbatches(self, batch: Batch) -> None:
        """Double the number of microbatches; if that is impossible, ValueError says why."""
        rows, columns = batch[0].shape[:2]
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        if self.microbatches >= rows:
            raise ValueError(
                f"out of memory with a single one of the batch's {rows} rows ({columns:,} tokens); choose a "
                "smaller model, a shorter model.context or a larger machine, or set "
                f"{ACTIVATION_CHECKPOINTING}=1"
            )
        if self.trainer.world_size > 1:
            raise ValueError(
                f"out of memory with {-(-rows // self.microbatches)} rows at once; on several devices set "
                f"pretrain.accumulate={2 * self.microbatches}, which computes the same in smaller "
                "microbatches"
            )
        self.microbatches = min(rows, 2 * self.microbatches)

    def _report_microbatches(self, batch: Batch) -> None:
        """Report once the microbatch size that fits: in a warning if it may be used, else in a ValueError."""
        rows, count = len(batch[0]), self.microbatches
        size = -(-rows // count)
        if not self.split_when_full:
            raise ValueError(
                f"out of memory with the batch's {rows} rows at once, but {size} rows fit: set "
                f"runtime.batch=auto or pretrain.accumulate={count}, which compute a batch in microbatches "
                "of this size (the same tokens per step and, up to rounding, the same result)"
            )
        log.warning(
            f"out of memory with {rows} rows at once: each batch is now computed in {count} microbatches of "
            f"at most {size} rows, with the same tokens per step"
        )

    def on_validation_epoch_start(self) -> None:
        on_cpu = self.device.type == "mps"  # which has no float64
        self._sums = torch.zeros((), dtype=torch.float64, device="cpu" if on_cpu else self.device)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        rank, world = self._place
        own = _split(batch, world)[rank]
        if len(own[0]):
            sums = self.validation_sums(own)
        else:  # too few rows for all processes: zeros of the same shape
            sums = 0 * self.validation_sums(tuple(tensor[:1] for tensor in batch))
        self._sums = self._sums + sums.to(self._sums)

    def on_validation_epoch_end(self) -> None:
        sums = self._sum_over_processes(self._sums).tolist()
        self.gather()  # callbacks and measures of the whole network read its weights
        self.validation = {"step": self.global_step, **self.summarize(sums)}

    def configure_optimizers(self) -> Any:
        optimizer = self.make_optimizer(self.network)
        return {"optimizer": optimizer, "lr_scheduler": LambdaLR(optimizer, self.schedule)}


def _split(batch: Batch, count: int) -> list[Batch]:
    """The batch's rows as `count` microbatches, whose sizes differ by at most one; they may be empty."""
    if count == 1:
        return [batch]
    return list(zip(*(torch.tensor_split(tensor, count) for tensor in batch), strict=True))
