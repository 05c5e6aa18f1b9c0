"""Load the batches of a training by index, starting at any step, in this process or in worker processes."""

import signal
from collections.abc import Iterator, Sized
from itertools import count, islice
from typing import Any

from lightning import Trainer
from torch.utils.data import DataLoader, Dataset, Sampler

GRACE = 10  # seconds that a worker continues after SIGTERM


class BatchOrder(Sampler[int]):
    """Samples the indices of the batches from step `first` on, in order and without those in `skipped`.

    A batch is a function of its index, so setting these two is enough to resume a training or to skip a bad
    batch.
    """

    def __init__(self, steps: int) -> None:
        self.steps, self.first = steps, 0
        self.skipped: set[int] = set()

    def __len__(self) -> int:
        return self.steps - self.first

    def __iter__(self) -> Iterator[int]:
        return self._batches(self.first, self.steps)

    def batch(self, step: int) -> int:
        """The index of the batch that is used after `step` steps."""
        return next(self._batches(step, step + 1))

    def _batches(self, first: int, last: int) -> Iterator[int]:
        return islice((batch for batch in count() if batch not in self.skipped), first, last)


def loader(
    batches: Dataset[Any], workers: int, trainer: Trainer | None, order: BatchOrder | None = None
) -> DataLoader[Any]:
    """Load whole batches, all in turn or those of `order`; in pinned memory if `trainer` uses CUDA."""
    assert isinstance(batches, Sized)
    return DataLoader(
        batches,
        batch_size=None,
        sampler=range(len(batches)) if order is None else order,
        num_workers=workers,
        pin_memory=trainer is not None and trainer.strategy.root_device.type == "cuda",
        worker_init_fn=_ignore_signals if workers else None,
    )


def _ignore_signals(worker: int) -> None:
    """Ignore signals to the process group, such as Ctrl-C, so that the training can finish its step."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, lambda *_: signal.alarm(GRACE))
