"""A batch in parts: where memory does not hold it at once, it is computed part after part, with the same result.

The tokens of a step stay what they are, since each part's loss is its share of the whole batch's mean: equal to
rounding, not to the bit. With runtime.batch=auto a training finds the largest parts that fit by itself, at the moment
when memory runs out, and goes on; with runtime.batch=fixed it stops and says which would have fitted.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from lightning import LightningModule
from torch import Tensor

log = logging.getLogger(__name__)
Batch = tuple[Tensor, ...]  # each (B, …)
AUTO, FIXED = "auto", "fixed"
CPU_IS_FULL = "can't allocate memory"  # of torch's allocator, which raises no error of a kind of its own


class InParts(LightningModule):
    """A module whose `share` gives a part's share of the whole batch's mean loss, so that a batch can be cut."""

    batch_mode = FIXED
    parts = 1  # of each batch that is computed at once

    def share(self, part: Batch, whole: Batch) -> Tensor:
        """The mean loss over `whole`, of which `part` alone is computed: the shares of all parts add up to it."""
        raise NotImplementedError

    def training_step(self, batch: Batch, index: int) -> dict[str, Tensor]:
        """The first part's share, to be followed backward; `rest` takes the others' once they have been computed."""
        self._batch, self.rest = batch, torch.zeros((), device=self.device)
        parts = self.parts
        while True:
            try:
                loss = self.share(self._cut()[0], batch)
                break
            except RuntimeError as error:
                _require_out_of_memory(error)
            self._halve()
        if self.parts > parts:
            self._tell()
        return {"loss": loss, "rest": self.rest}

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """Follow the first part's loss backward, then compute the others', each with its own graph."""
        first = loss.detach() / self._scale()
        try:
            super().backward(loss, *args, **kwargs)
            self._add(self._cut()[1:])
            return
        except RuntimeError as error:
            _require_out_of_memory(error)
        loss.detach_()  # lets go of its graph
        self._again()
        self.rest -= first  # which is counted already
        self._tell()

    def _again(self) -> None:
        """Compute the batch anew in ever smaller parts, without what it has left in the gradients so far."""
        accumulate = self.trainer.accumulate_grad_batches
        if self.trainer.fit_loop.epoch_loop.batch_idx % accumulate:
            raise ValueError(
                f"the memory was full in the middle of a step of {accumulate} accumulated batches, whose gradients are "
                f"now mixed; set accumulate={2 * accumulate}, which computes the same in smaller parts"
            )
        while True:
            self._halve()
            self.zero_grad(set_to_none=True)
            self.rest.zero_()
            try:
                self._add(self._cut())
                return
            except RuntimeError as error:
                _require_out_of_memory(error)

    def _add(self, parts: list[Batch]) -> None:
        """Add the parts' gradients to those that are there, as Lightning would: each a share of an accumulated step."""
        for part in parts:
            with self.trainer.precision_plugin.train_step_context():
                share = self.share(part, self._batch) / self.trainer.accumulate_grad_batches
            (share * self._scale()).backward()  # type: ignore[no-untyped-call]
            self.rest += share.detach()

    def _scale(self) -> float:
        """What a loss is multiplied with so that its gradients do not vanish in float16."""
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        return float(scaler.get_scale()) if scaler is not None else 1.0

    def _cut(self) -> list[Batch]:
        if self.parts == 1:
            return [self._batch]
        return list(zip(*(torch.tensor_split(tensor, self.parts) for tensor in self._batch), strict=True))

    def _halve(self) -> None:
        """Take twice as many parts, or say why that cannot be."""
        rows = len(self._batch[0])
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        if self.parts >= rows:
            raise ValueError(
                f"the memory does not hold one of the batch's {rows} rows alone ({self._batch[0].size(1):,} tokens); "
                "take a smaller model, a shorter model.context or a larger machine"
            )
        if self.trainer.world_size > 1:
            raise ValueError(
                f"the memory does not hold {-(-rows // self.parts)} rows at once; on several devices set accumulate to "
                "twice what it is (pretrain.accumulate), which computes the same in smaller parts"
            )
        self.parts = min(rows, 2 * self.parts)

    def _tell(self) -> None:
        """Say once that smaller parts fit, where those are wished for; else stop, and say which would."""
        rows = len(self._batch[0])
        fitting = -(-rows // self.parts)
        if self.batch_mode != AUTO:
            raise ValueError(
                f"the memory does not hold the batch's {rows} rows at once, and it holds {fitting}: set "
                "runtime.batch=auto, which computes it in such parts (as many tokens a step, equal to rounding), or "
                f"pretrain.accumulate={self.parts * self.trainer.accumulate_grad_batches}, which does the same"
            )
        log.warning(
            f"the memory does not hold {rows} rows at once: each batch is computed in {self.parts} parts of at most "
            f"{fitting}, with as many tokens a step as before"
        )


def _require_out_of_memory(error: RuntimeError) -> None:
    """Raise what is no lack of memory again."""
    if not isinstance(error, torch.OutOfMemoryError) and CPU_IS_FULL not in str(error):
        raise error


@contextmanager
def clear_mishaps() -> Iterator[None]:
    """A worker process that dies is one line, not the traceback of whoever waited for it."""
    try:
        yield
    except (RuntimeError, ConnectionError, EOFError) as error:  # the latter two where it died in the midst of sending
        if isinstance(error, RuntimeError) and "DataLoader worker" not in str(error):
            raise
        told = " ".join(str(error).split())[:200] or type(error).__name__
        raise ValueError(
            f"a process that prepares batches died ({told}); memory may have been full: "
            "run the command again, with runtime.workers=0 if it happens again"
        ) from None
