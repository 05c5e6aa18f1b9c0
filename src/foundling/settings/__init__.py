"""The composed config as typed, validated dataclasses: one class a section, one field for each of its keys.

A stage or command is called with a `Job`. What it calls gets the section that it needs, never a whole config.
"""

from dataclasses import dataclass as plain_dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic.dataclasses import dataclass

from foundling.settings import datasets, models, runtime, training
from foundling.settings.types import Seed
from foundling.validation import STRICT, build

if TYPE_CHECKING:
    from omegaconf import DictConfig


# sections that say how a run is carried out or what is done with its result, not what comes out of it
UNHASHED = (
    *("runtime", "fetch", "hardware"),
    *("generate", "predict", "chat", "translate", "seeds", "export", "plan", "verify", "rebuild", "clean"),
)


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Settings:
    """A composed config."""

    seed: Seed
    corpus: datasets.Corpus
    tokenizer: datasets.Tokenizer
    model: models.Model
    weights: datasets.Weights
    pretrain: training.Pretrain
    classify: training.Classify
    instruct: training.Instruct
    train_translator: training.TrainTranslator
    evaluate: runtime.Evaluate
    fetch: runtime.Fetch
    generate: runtime.Generate
    predict: runtime.Predict
    chat: runtime.Chat
    translate: runtime.Translate
    seeds: runtime.Seeds
    export: runtime.Export
    plan: runtime.Plan
    hardware: runtime.Hardware
    verify: runtime.Verify
    rebuild: runtime.Rebuild
    clean: runtime.Clean
    runtime: runtime.Runtime


@plain_dataclass(frozen=True)
class Job:
    """One run of a stage or command: its composed config, and the folder below which it writes."""

    config: "DictConfig"  # until all stages read `settings`
    out: Path

    @cached_property
    def settings(self) -> Settings:
        """The config, validated; ValueError names each key that is wrong and what is allowed."""
        return build(Settings, self._values, "")

    @cached_property
    def recipe(self) -> dict[str, Any]:
        """What the result depends on, as plain values: hashed by DVC and recorded with the result."""
        return {name: value for name, value in self._values.items() if name not in UNHASHED}

    @cached_property
    def _values(self) -> dict[str, Any]:
        return resolved(self.config)


def resolved(config: "DictConfig") -> dict[str, Any]:
    """A composed config as plain values; ValueError for an interpolation that leads nowhere."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        values = OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        raise ValueError(f"the config cannot be resolved: {str(error).splitlines()[0]}") from error
    assert isinstance(values, dict)
    return {str(name): value for name, value in values.items()}
