"""Early stopping: keep the weights with the best validation loss, and stop when it no longer improves."""

from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn

from foundling.training.module import TrainingModule

MEASURE = "val/loss"


class KeepBest(Callback):
    """Keeps the weights with the lowest validation loss; stops after `patience` validations without a lower.

    With patience=None it never stops. Only trained weights are copied, since the others do not change.
    """

    def __init__(self, network: nn.Module, patience: int | None) -> None:
        self.network, self.patience = network, patience
        self.best: dict[str, float] = {}
        self.weights: dict[str, Tensor] = {}
        self.waited = 0

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, TrainingModule)
        measures = pl_module.validation
        if not self.best or measures[MEASURE] < self.best[MEASURE]:
            self.best, self.waited = dict(measures), 0
            trained = {name: p for name, p in self.network.named_parameters() if p.requires_grad}
            self.weights = {name: p.detach().clone() for name, p in trained.items()}
            return
        self.waited += 1
        if self.patience is not None and self.waited >= self.patience:
            trainer.should_stop = True

    @torch.no_grad()
    def restore(self) -> dict[str, float]:
        """Restore the best weights; returns the measures of their validation, and its step."""
        parameters = dict(self.network.named_parameters())
        for name, weight in self.weights.items():
            parameters[name].copy_(weight)
        return self.best

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "weights": self.weights, "waited": self.waited}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best, self.weights, self.waited = state_dict["best"], state_dict["weights"], state_dict["waited"]
