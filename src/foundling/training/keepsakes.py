"""What a training leaves along the way: snapshots of the model, for the emergence curve, and samples of its writing."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
from lightning import Callback, LightningModule, Trainer

from foundling.artifacts import write_json
from foundling.generation.decode import continue_text
from foundling.generation.sampling import Sampling
from foundling.model.gpt import GPT
from foundling.text.tokenizer import Tokenizer
from foundling.training.rows import Rows
from foundling.weights import folder

log = logging.getLogger(__name__)


class Snapshots(Callback):
    """Save the model after some steps into `place`/step-…, with an index.json of steps and tokens seen."""

    def __init__(self, place: Path, network: GPT, steps: list[int], tokens_per_step: int) -> None:
        self.place, self.network, self.tokens_per_step = place, network, tokens_per_step
        self.due = set(steps)
        self.index: list[dict[str, Any]] = []

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Write the index of those that there are: none at first."""
        write_json(self.place / "index.json", self.index)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The untrained model is one of them."""
        self._keep(trainer.global_step)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save once a due step is complete."""
        self._keep(trainer.global_step)

    def _keep(self, step: int) -> None:
        if step in self.due:
            self.due.remove(step)
            name = f"step-{step:08d}"
            folder.save(self.place / name, self.network)
            self.index.append({"step": step, "tokens": step * self.tokens_per_step, "folder": name})
            write_json(self.place / "index.json", self.index)

    def state_dict(self) -> dict[str, Any]:
        """Which there are; a resumed run makes later ones again."""
        return {"index": list(self.index)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self.index = state_dict["index"]
        self.due -= {entry["step"] for entry in self.index}


class Samples(Callback):
    """After each validation let the model write a text, shown at once and kept in a jsonl file."""

    def __init__(
        self, path: Path, network: GPT, tokenizer: Tokenizer, ask: dict[str, Any], seed: int, tokens_per_step: int
    ) -> None:
        self.network, self.tokenizer, self.tokens_per_step = network, tokenizer, tokens_per_step
        self.prompt, self.length, self.seed = ask["prompt"], ask["max_new_tokens"], seed
        self.sampling = Sampling(ask["temperature"], ask["top_k"], ask["top_p"])
        self.rows = Rows(path)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Begin the file, unless it was resumed."""
        self.rows.begin()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write one (Lightning has set the model to evaluation for the validation, and sets it back after this)."""
        text = continue_text(self.network, self.tokenizer, self.prompt, self.length, self.sampling, self.seed)
        step = trainer.global_step
        written = {"step": step, "tokens": step * self.tokens_per_step, "prompt": self.prompt, "text": text}
        self.rows.add(json.dumps(written, ensure_ascii=False))
        loss = getattr(pl_module, "validation", {}).get("val/loss", float("nan"))
        log.info(f"step {step:,}  val/loss {loss:.4f}  {' '.join((self.prompt + text).split())[:90]}")

    def state_dict(self) -> dict[str, Any]:
        """How much is written."""
        return {"rows": self.rows.state()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self.rows.resume(state_dict["rows"])


def log_spaced(count: int, last: int) -> list[int]:
    """0 and `count - 1` steps up to `last`, each about twice the one before; fewer where they would coincide."""
    if count < 1 or last < 1:
        return []
    first = max(1, last // 2 ** max(1, count - 2))
    return sorted({0, *np.geomspace(first, last, max(1, count - 1)).round().astype(int).tolist()})
