"""How batches reach a training: by index, from any step, prepared in this process or in worker processes."""

import signal
from collections.abc import Iterator, Sized
from itertools import count, islice
from typing import Any

from lightning import Trainer
from torch.utils.data import DataLoader, Dataset, Sampler

GRACE = 10  # seconds that a worker stays when it is told to go


class BatchOrder(Sampler[int]):
    """Indices of the batches still to come, from step `first` on: a step takes the next batch not in `left_out`.

    A batch is a function of its index, so this is all there is to resuming, and to continuing without a bad batch.
    """

    def __init__(self, steps: int) -> None:
        self.steps, self.first = steps, 0
        self.left_out: set[int] = set()

    def __len__(self) -> int:
        return self.steps - self.first

    def __iter__(self) -> Iterator[int]:
        return self._batches(self.first, self.steps)

    def batch(self, step: int) -> int:
        """The batch that the step after `step` others takes."""
        return next(self._batches(step, step + 1))

    def _batches(self, first: int, last: int) -> Iterator[int]:
        return islice((batch for batch in count() if batch not in self.left_out), first, last)


def loader(
    batches: Dataset[Any], workers: int, trainer: Trainer | None, order: BatchOrder | None = None
) -> DataLoader[Any]:
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
