"""The composed config as typed, validated dataclasses: one class a section, one field for each of its keys.

A stage or command is called with a `Job`. What it calls gets the section that it needs, never a whole config.
"""

from dataclasses import dataclass as plain_dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic.dataclasses import dataclass

from foundling.settings import datasets, runtime, training
from foundling.settings.types import Seed
from foundling.validation import STRICT, build

if TYPE_CHECKING:
    from omegaconf import DictConfig


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Settings:
    """A composed config."""

    seed: Seed
    corpus: datasets.Corpus
    tokenizer: datasets.Tokenizer
    model: dict[str, Any]
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
        from omegaconf import OmegaConf

        return build(Settings, OmegaConf.to_container(self.config, resolve=True), "")  # type: ignore[arg-type]

    @cached_property
    def recipe(self) -> dict[str, Any]:
        """What the result depends on, as plain values: hashed by DVC and recorded with the result."""
        from foundling.config import recipe

        return recipe(self.config)
