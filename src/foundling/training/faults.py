"""Bad steps: a loss that is not finite, or far above those before it, is caught before the weights change.

The batch is saved for inspection. Then training stops, or continues from its last checkpoint without that batch
(Chowdhery et al. 2022, 5.1).
"""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch
from lightning import Trainer
from safetensors.torch import save_file
from torch import Tensor, nn

from foundling.artifacts import atomic_folder, write_json
from foundling.data.loading import BatchOrder

OFF, STOP, SKIP = ACTIONS = ("off", "stop", "skip")
FOLDER = "fault"


class Fault(ValueError):
    """The next step is bad."""


class Faults:
    """Check each step's loss and gradient before the weights change; a bad step raises Fault or ValueError.

    `action` is one of ACTIONS. A loss above `spike` times the median of the last `window` ones is bad, too (None: only
    what is not finite). No more than `most` batches are skipped; then action skip stops as well.
    """

    def __init__(
        self, folder: Path, order: BatchOrder, *, action: str, spike: float | None, window: int, most: int
    ) -> None:
        if action not in ACTIONS:
            raise ValueError(f"faults.action={action!r}: must be one of {', '.join(ACTIONS)}")
        if (spike is not None and spike <= 1) or window < 1:
            raise ValueError(
                f"faults.spike={spike}, faults.window={window}: a spike must be above 1, a window at least 1"
            )
        self.folder, self.order = folder / FOLDER, order
        self.action, self.spike, self.most = action, spike, most
        self.before: deque[float] = deque(maxlen=window)

    def check(self, trainer: Trainer, network: nn.Module, batch: Sequence[Tensor], loss: Tensor, norm: Tensor) -> None:
        """Judge a step by its mean loss and its whole gradient's norm."""
        if self.action == OFF:
            return
        loss_value, norm_value = self._values(trainer, loss, norm)
        usual = median(self.before) if len(self.before) == self.before.maxlen else math.inf
        jumps = self.spike is not None and loss_value > self.spike * usual
        if math.isfinite(loss_value) and math.isfinite(norm_value) and not jumps:
            self.before.append(loss_value)
            return
        step = trainer.global_step + 1
        path = self.folder / f"step-{step:08d}"
        gradients = {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
        note = {
            "step": step,
            "batch": self.order.batch(step - 1),
            "loss": loss_value,
            "grad_norm": norm_value,
            "losses_before": list(self.before),
            "grad_norms": {name: float(gradient.norm()) for name, gradient in gradients.items()},
        }
        self._save(path, batch, note)
        what = f"step {step:,}: the loss is {loss_value:.4g} and the gradient's norm {norm_value:.4g}"
        if self.before:
            what += f" (the loss before was {self.before[-1]:.4g})"
        if self.action == SKIP and len(self.order.left_out) < self.most:
            raise Fault(f"{what}; going back to the last checkpoint and on without this batch, saved in {path}")
        fix = "set faults.action=skip in this stage's section to skip the batch"
        if self.action == SKIP:
            fix = f"faults.most={self.most} batches were skipped before"
        raise ValueError(f"{what}; {fix}, or choose a lower learning rate; the batch is saved in {path}")

    def _values(self, trainer: Trainer, loss: Tensor, norm: Tensor) -> tuple[float, float]:
        """Loss and norm as numbers, in one transfer from the device."""
        if getattr(trainer.precision_plugin, "scaler", None) is not None:
            norm = torch.zeros_like(loss)  # float16 gradients overflow now and then: the scaler skips those steps
        values = torch.stack([loss, norm.to(loss)])
        if trainer.world_size > 1:
            values = trainer.strategy.reduce(values, reduce_op="mean")
        loss_value, norm_value = values.tolist()
        return loss_value, norm_value

    def leave_out(self, step: int) -> int:
        """Take the bad step's batch out of the order; returns its number."""
        batch = self.order.batch(step)
        self.order.left_out.add(batch)
        return batch

    def state_dict(self) -> dict[str, Any]:
        return {"before": list(self.before)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.before = deque(state_dict["before"], maxlen=self.before.maxlen)

    def _save(self, path: Path, batch: Sequence[Tensor], note: Mapping[str, Any]) -> None:
        tensors = {str(i): tensor.detach().cpu().contiguous().clone() for i, tensor in enumerate(batch)}
        with atomic_folder(path) as folder:
            save_file(tensors, folder / "batch.safetensors")
            write_json(folder / "fault.json", _strict(note))


def _strict(value: Any) -> Any:
    """The values with nan and inf, which JSON does not have, as strings."""
    if isinstance(value, Mapping):
        return {key: _strict(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_strict(inner) for inner in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
