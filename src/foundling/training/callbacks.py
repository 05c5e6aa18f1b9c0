"""Callbacks of a training: samples, snapshots for the emergence curve, and early stopping."""

import json
import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn

from foundling.artifacts import write_json
from foundling.generation.decode import continue_text
from foundling.metrics.evaluate import Snapshot
from foundling.model.interface import LanguageModel
from foundling.processes import is_first_process
from foundling.settings.generation import Sample
from foundling.text.tokenizer import Tokenizer
from foundling.training.module import TrainingModule
from foundling.training.rows import Rows
from foundling.weights import folder

log = logging.getLogger(__name__)


class Samples(Callback):
    """Continues the prompt of `sample` after each validation, logs the text and appends it to `path`."""

    def __init__(
        self,
        path: Path,
        network: LanguageModel,
        tokenizer: Tokenizer,
        sample: Sample,
        seed: int,
        tokens_per_step: int,
    ) -> None:
        self.network, self.tokenizer, self.tokens_per_step = network, tokenizer, tokens_per_step
        self.sample, self.seed, self.rows = sample, seed, Rows(path)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self.rows.create()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Generate a text; during this hook Lightning keeps the model in evaluation mode."""
        assert isinstance(pl_module, TrainingModule)
        prompt, length, step = self.sample.prompt, self.sample.max_new_tokens, trainer.global_step
        text = continue_text(self.network, self.tokenizer, prompt, length, self.sample, self.seed)
        row = {"step": step, "tokens": step * self.tokens_per_step, "prompt": prompt, "text": text}
        self.rows.add(json.dumps(row, ensure_ascii=False))
        loss = pl_module.validation["val/loss"]
        log.info(f"step {step:,}  val/loss {loss:.4f}  {' '.join((prompt + text).split())[:90]}")

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows.size()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows.truncate(state_dict["rows"])


class Snapshots(Callback):
    """Saves the model after each of `steps` as `path`/step-…, and an index.json of steps and tokens."""

    def __init__(self, path: Path, network: LanguageModel, steps: list[int], tokens_per_step: int) -> None:
        self.path, self.network, self.tokens_per_step = path, network, tokens_per_step
        self.steps = set(steps)
        self.index: list[Snapshot] = []

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._write_index()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._save(trainer.global_step, pl_module)  # the untrained model, if `steps` includes 0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._save(trainer.global_step, pl_module)

    def _save(self, step: int, module: LightningModule) -> None:
        if step not in self.steps:
            return
        assert isinstance(module, TrainingModule)
        module.gather()
        self.steps.remove(step)
        if not is_first_process():
            return
        name = f"step-{step:08d}"
        folder.save(self.path / name, self.network)
        self.index.append(Snapshot(step=step, tokens=step * self.tokens_per_step, folder=name))
        self._write_index()

    def _write_index(self) -> None:
        if is_first_process():
            write_json(self.path / "index.json", list(map(asdict, self.index)))

    def state_dict(self) -> dict[str, Any]:
        """The index of the snapshots so far; a resumed training saves later ones again."""
        return {"index": list(map(asdict, self.index))}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.index = [Snapshot(**entry) for entry in state_dict["index"]]
        self.steps -= {snapshot.step for snapshot in self.index}


def log_spaced(count: int, last: int) -> list[int]:
    """0 and `count - 1` log-spaced steps from a 16th of `last` to `last`; fewer if they would coincide.

    Before that a model has learned little.
    """
    if count < 1 or last < 1:
        return []
    first = max(1, last // 16)
    return sorted({0, *np.geomspace(last, first, count - 1).round().astype(int).tolist()})


class KeepBest(Callback):
    """Keeps the weights with the lowest validation loss; stops after `patience` validations without progress.

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
        if not self.best or measures["val/loss"] < self.best["val/loss"]:
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
