"""The composed config as typed, validated dataclasses: one class a section, one field for each of its keys.

A stage or command is called with a `Job`. What it calls gets the section that it needs, never a whole config.
"""

from typing import Any

from pydantic.dataclasses import dataclass

from foundling.settings import datasets, runtime, training
from foundling.settings.types import Seed
from foundling.validation import STRICT, build


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
    translator: training.TrainTranslator
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


def read(values: dict[str, Any]) -> Settings:
    """Validate the values of a composed config; ValueError names each key that is wrong and what is allowed."""
    return build(Settings, values, "")
