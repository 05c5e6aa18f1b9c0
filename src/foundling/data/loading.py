"""How batches are handed to a training: by index, from whichever step on, prepared here or by worker processes."""

import signal
from collections.abc import Iterator, Sized
from itertools import count, islice
from typing import Any

from lightning import Trainer
from torch.utils.data import DataLoader, Dataset, Sampler

GRACE = 10  # seconds that a worker stays when it is told to go


class Order(Sampler[int]):
    """Indices of the batches still to come: from step `first` to the last, each step's `accumulate` parts in order.

    A step takes the next batch that is not in `left_out`; as a batch is a function of its index, that is all there is
    to resuming, and to going on without a batch that does harm.
    """

    def __init__(self, steps: int, accumulate: int = 1) -> None:
        self.steps, self.accumulate = steps, accumulate
        self.first = 0
        self.left_out: set[int] = set()

    def __len__(self) -> int:
        return (self.steps - self.first) * self.accumulate

    def __iter__(self) -> Iterator[int]:
        for batch in self._batches(self.first, self.steps):
            yield from range(batch * self.accumulate, (batch + 1) * self.accumulate)

    def batch(self, step: int) -> int:
        """The batch that the step after `step` others takes."""
        return next(self._batches(step, step + 1))

    def _batches(self, first: int, last: int) -> Iterator[int]:
        return islice((batch for batch in count() if batch not in self.left_out), first, last)


def loader(batches: Dataset[Any], workers: int, trainer: Trainer | None, order: Order | None = None) -> DataLoader[Any]:
    """A loader of whole batches, all of them in turn or those of `order`; pinned in memory if `trainer` uses CUDA."""
    assert isinstance(batches, Sized)
    return DataLoader(
        batches,
        batch_size=None,
        sampler=range(len(batches)) if order is None else order,
        num_workers=workers,
        pin_memory=trainer is not None and trainer.strategy.root_device.type == "cuda",
        worker_init_fn=_outlast if workers else None,
    )


def _outlast(worker: int) -> None:
    """Ctrl-C and the like reach a whole group of processes: outlast the training, which stops after its step."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, lambda *_: signal.alarm(GRACE))
