"""A loss that is no number, or far above those before it: found before its step is taken, kept for inspection.

Then the training stops, or goes back to its last checkpoint and on without that batch (Chowdhery et al. 2022, 5.1).
"""

import math
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from safetensors.torch import save_file
from torch import Tensor, nn

from foundling.artifacts import atomic_folder, write_json
from foundling.data.loading import Order

OFF, STOP, SKIP = ACTIONS = ("off", "stop", "skip")
FOLDER = "fault"


class Fault(ValueError):
    """The step that would be taken next is bad."""


class Faults(Callback):
    """Look at each step's loss and gradient before the step is taken; a bad one raises Fault.

    `action` is one of ACTIONS. A loss above `spike` times the median of the last `window` ones is bad, too (None: only
    what is not finite). No more than `most` batches are left out; then action skip stops as well.
    """

    def __init__(self, folder: Path, order: Order, *, action: str, spike: float | None, window: int, most: int) -> None:
        if action not in ACTIONS:
            raise ValueError(f"found faults.action={action!r}; allowed are {', '.join(ACTIONS)}")
        if (spike is not None and spike <= 1) or window < 1:
            raise ValueError(
                f"found faults.spike={spike}, faults.window={window}; a spike is above 1, a window at least 1"
            )
        self.folder, self.order = folder / FOLDER, order
        self.action, self.spike, self.most = action, spike, most
        self.before: deque[float] = deque(maxlen=window)
        self._batches: list[Any] = []
        self._losses: list[Tensor] = []

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Remember the parts of the step."""
        if batch_idx % trainer.accumulate_grad_batches == 0:
            self._batches, self._losses = [], []
        self._batches.append(batch)

    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: Tensor) -> None:
        """Remember the part's share of the loss."""
        scaler = getattr(trainer.precision_plugin, "scaler", None)
        self._losses.append(loss.detach() / (scaler.get_scale() if scaler else 1.0))

    def on_after_backward(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add what was computed apart, where memory did not hold the batch at once."""
        self._losses[-1] = self._losses[-1] + pl_module.rest  # type: ignore[operator]

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Any) -> None:
        """Judge the step: its gradient is whole, and no weight has moved."""
        if self.action == OFF:
            return
        network: Any = pl_module.network
        gradients = {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
        loss, norm = self._measure(trainer, list(gradients.values()))
        usual = median(self.before) if len(self.before) == self.before.maxlen else math.inf
        if math.isfinite(loss) and math.isfinite(norm) and not (self.spike and loss > self.spike * usual):
            self.before.append(loss)
            return
        step = trainer.global_step + 1
        place = self.folder / f"step-{step:08d}"
        note = {"step": step, "batch": self.order.batch(step - 1), "loss": loss, "grad_norm": norm}
        norms = {name: float(gradient.norm()) for name, gradient in gradients.items()}
        self._keep(place, note | {"losses_before": list(self.before), "grad_norms": norms})
        found = f"step {step:,}: the loss is {loss:.4g} and the gradient's norm {norm:.4g}" + (
            f", where {self.before[-1]:.4g} was the loss before" if self.before else ""
        )
        if self.action == SKIP and len(self.order.left_out) < self.most:
            raise Fault(f"{found}; going back to the last checkpoint and on without this batch, kept in {place}")
        mend = "set faults.action=skip in this stage's section to leave the batch out"
        if self.action == SKIP:
            mend = f"faults.most={self.most} batches were left out before"
        raise ValueError(f"{found}; {mend}, or take a lower learning rate; the batch is kept in {place}")

    def _measure(self, trainer: Trainer, gradients: list[Tensor]) -> tuple[float, float]:
        """The step's loss and its gradient's norm, as one transfer from the device."""
        loss = torch.stack(self._losses).sum()
        if getattr(trainer.precision_plugin, "scaler", None) is not None:
            gradients = []  # a 16-bit gradient overflows now and then: its scaler leaves such steps out
        values = torch.stack([loss, nn.utils.get_total_norm(gradients).to(loss)])
        if trainer.world_size > 1:
            values = trainer.strategy.reduce(values, reduce_op="mean")
        loss_now, norm_now = values.tolist()
        return loss_now, norm_now

    def leave_out(self, step: int) -> int:
        """Take the bad step's batch out of the order; returns its number."""
        batch = self.order.batch(step)
        self.order.left_out.add(batch)
        return batch

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run has to know."""
        return {"before": list(self.before)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self.before = deque(state_dict["before"], maxlen=self.before.maxlen)

    def _keep(self, place: Path, note: Mapping[str, Any]) -> None:
        tensors = {
            f"part{part}.{i}": tensor.detach().cpu().contiguous().clone()
            for part, batch in enumerate(self._batches)
            for i, tensor in enumerate(batch)
        }
        with atomic_folder(place) as folder:
            save_file(tensors, folder / "batch.safetensors")
            write_json(folder / "fault.json", _strict(note))


def _strict(value: Any) -> Any:
    """JSON knows no nan and no inf: as text."""
    if isinstance(value, Mapping):
        return {key: _strict(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_strict(inner) for inner in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
