"""Detect a loss or gradient that is not finite, or a sudden rise of the loss, before the weights change.

The batch is saved for inspection. Then training stops, or resumes from its last checkpoint and skips that
batch (Chowdhery et al. 2022, 5.1).
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
from foundling.outcomes import Diverged
from foundling.processes import is_first_process
from foundling.settings import training as settings
from foundling.training.sharding import whole

FOLDER = "fault"


class Fault(ValueError):
    """A bad step whose batch will be skipped."""


class FaultDetector:
    """Checks each step's loss and gradient norm; raises Fault to skip a batch, Diverged to stop."""

    def __init__(self, folder: Path, order: BatchOrder, faults: settings.Faults) -> None:
        self.folder, self.order, self.settings = folder / FOLDER, order, faults
        self.losses: deque[float] = deque(maxlen=faults.window)

    def check(
        self, trainer: Trainer, network: nn.Module, batch: Sequence[Tensor], loss: Tensor, norm: Tensor
    ) -> None:
        """Check a step's mean loss over the batch and the norm of its gradient before clipping."""
        if self.settings.action == "off":
            return
        loss_value, norm_value = self._values(trainer, loss, norm)
        if math.isfinite(loss_value) and math.isfinite(norm_value) and not self._is_spike(loss_value):
            self.losses.append(loss_value)
            return
        step = trainer.global_step + 1
        path = self._save(step, network, batch, loss_value, norm_value)
        self._raise(step, path, loss_value, norm_value)

    def skip_batch(self, step: int) -> None:
        """Skip, from now on, the batch that a bad step took."""
        self.order.skipped.add(self.order.batch(step))

    def state_dict(self) -> dict[str, Any]:
        return {"losses": list(self.losses)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.losses = deque(state_dict["losses"], maxlen=self.losses.maxlen)

    def _is_spike(self, loss: float) -> bool:
        """Whether the loss is too far above the median of a full window."""
        if self.settings.spike is None or len(self.losses) < self.settings.window:
            return False
        return loss > self.settings.spike * median(self.losses)

    def _values(self, trainer: Trainer, loss: Tensor, norm: Tensor) -> tuple[float, float]:
        """Loss and norm as numbers, in one transfer from the device."""
        if getattr(trainer.precision_plugin, "scaler", None) is not None:
            norm = torch.zeros_like(loss)  # float16 gradients may overflow: the scaler skips those steps
        loss_value, norm_value = torch.stack([loss, norm.to(loss)]).tolist()
        return loss_value, norm_value

    def _save(self, step: int, network: nn.Module, batch: Sequence[Tensor], loss: float, norm: float) -> Path:
        path = self.folder / f"step-{step:08d}"
        gradients = {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
        norms = {name: float(whole(gradient.norm())) for name, gradient in gradients.items()}
        note = {
            "step": step,
            "batch": self.order.batch(step - 1),
            "loss": loss,
            "grad_norm": norm,
            "losses_before": list(self.losses),
            "grad_norms": norms,
        }
        tensors = {str(i): tensor.detach().cpu().contiguous().clone() for i, tensor in enumerate(batch)}
        if is_first_process():
            with atomic_folder(path) as folder:
                save_file(tensors, folder / "batch.safetensors")
                write_json(folder / "fault.json", _strict(note))
        return path

    def _raise(self, step: int, path: Path, loss: float, norm: float) -> None:
        what = f"step {step:,}: the loss is {loss:.4g} and the gradient's norm {norm:.4g}"
        if self.losses:
            what += f" (the loss before was {self.losses[-1]:.4g})"
        skip, most = self.settings.action == "skip", self.settings.most
        if skip and len(self.order.skipped) < most:
            raise Fault(f"{what}; returning to the last checkpoint to skip this batch, saved in {path}")
        fix = "set faults.action=skip in this stage's section to skip the batch"
        if skip:
            fix = f"{most} batches were skipped before; increase faults.most in this stage's section"
        raise Diverged(f"{what}; {fix}, or choose a lower learning rate; the batch is saved in {path}")


def _strict(value: Any) -> Any:
    """The values with nan and inf, which strict JSON does not allow, as strings."""
    if isinstance(value, Mapping):
        return {key: _strict(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_strict(inner) for inner in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
