"""Samples: a text that the model generates after each validation."""

import json
import logging
from pathlib import Path
from typing import Any

from lightning import Callback, LightningModule, Trainer

from foundling.generation.decode import continue_text
from foundling.generation.sampling import Sampling
from foundling.model.interface import LanguageModel
from foundling.settings.training import Sample
from foundling.text.tokenizer import Tokenizer
from foundling.training.module import TrainingModule
from foundling.training.rows import Rows

log = logging.getLogger(__name__)


class Samples(Callback):
    """Continues the prompt of `sample` after each validation, logs the text and appends it to `path`."""

    def __init__(
        self, path: Path, network: LanguageModel, tokenizer: Tokenizer, sample: Sample, seed: int, tokens_per_step: int
    ) -> None:
        self.network, self.tokenizer, self.tokens_per_step = network, tokenizer, tokens_per_step
        self.prompt, self.length, self.seed = sample.prompt, sample.max_new_tokens, seed
        self.sampling = Sampling(sample.temperature, sample.top_k, sample.top_p)
        self.rows = Rows(path)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self.rows.create()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Generate a text; during this hook Lightning keeps the model in evaluation mode."""
        assert isinstance(pl_module, TrainingModule)
        text = continue_text(self.network, self.tokenizer, self.prompt, self.length, self.sampling, self.seed)
        step = trainer.global_step
        row = {"step": step, "tokens": step * self.tokens_per_step, "prompt": self.prompt, "text": text}
        self.rows.add(json.dumps(row, ensure_ascii=False))
        loss = pl_module.validation["val/loss"]
        log.info(f"step {step:,}  val/loss {loss:.4f}  {' '.join((self.prompt + text).split())[:90]}")

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows.size()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows.truncate(state_dict["rows"])
