"""Snapshots: the model after some steps, for the emergence curve."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from lightning import Callback, LightningModule, Trainer

from foundling.artifacts import write_json
from foundling.metrics.evaluate import Snapshot
from foundling.model.interface import LanguageModel
from foundling.scratch import is_first_process
from foundling.weights import folder


class Snapshots(Callback):
    """Saves the model after each of `steps` as `path`/step-…, and an index.json of steps and tokens."""

    def __init__(self, path: Path, network: LanguageModel, steps: list[int], tokens_per_step: int) -> None:
        self.path, self.network, self.tokens_per_step = path, network, tokens_per_step
        self.steps = set(steps)
        self.index: list[Snapshot] = []

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._write_index()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._save(trainer.global_step)  # the untrained model, if `steps` includes 0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._save(trainer.global_step)

    def _save(self, step: int) -> None:
        if step not in self.steps or not is_first_process():
            return
        self.steps.remove(step)
        name = f"step-{step:08d}"
        folder.save(self.path / name, self.network)
        self.index.append(Snapshot(step=step, tokens=step * self.tokens_per_step, folder=name))
        self._write_index()

    def _write_index(self) -> None:
        write_json(self.path / "index.json", list(map(asdict, self.index)))

    def state_dict(self) -> dict[str, Any]:
        """The index of the snapshots so far; a resumed training saves later ones again."""
        return {"index": list(map(asdict, self.index))}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.index = [Snapshot(**entry) for entry in state_dict["index"]]
        self.steps -= {snapshot.step for snapshot in self.index}


def log_spaced(count: int, last: int) -> list[int]:
    """0 and `count - 1` steps up to `last`, each about twice the one before; fewer if they would coincide."""
    if count < 1 or last < 1:
        return []
    first = max(1, last // 2 ** max(1, count - 2))
    return sorted({0, *np.geomspace(first, last, max(1, count - 1)).round().astype(int).tolist()})
