"""The composed config as typed, validated dataclasses: one class per section, one field per key.

A stage or command is called with a `Job`; the functions that it calls get the section that they need.
"""

from dataclasses import dataclass as plain_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from pydantic import JsonValue
from pydantic.dataclasses import dataclass

from foundling.settings import commands, datasets, models, runtime, training
from foundling.settings.types import Seed
from foundling.settings.weights import Weights
from foundling.validation import STRICT, build

if TYPE_CHECKING:
    from omegaconf import DictConfig

Recipe: TypeAlias = dict[str, JsonValue]  # what a result depends on, by section, as hashed and recorded
# sections that determine how a run is executed or how its result is used, but not the result
UNHASHED = (
    *("runtime", "fetch", "hardware", "generate", "predict", "chat", "translate", "serve"),
    *("report", "compare", "sweep", "import_model", "export", "plan", "verify", "rebuild", "clean"),
)


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Settings:
    seed: Seed
    corpus: datasets.Corpus
    tokenizer: datasets.Tokenizer
    model: models.Model
    weights: Weights
    pretrain: training.Pretrain
    classify: training.Classify
    instruct: training.Instruct
    train_translator: training.TrainTranslator
    evaluate: commands.Evaluate
    fetch: commands.Fetch
    generate: commands.Generate
    predict: commands.Predict
    chat: commands.Chat
    translate: commands.Translate
    serve: commands.Serve
    report: commands.Report
    compare: commands.Compare
    sweep: commands.Sweep
    import_model: commands.ImportModel
    export: commands.Export
    plan: commands.Plan
    hardware: runtime.Hardware
    verify: commands.Verify
    rebuild: commands.Rebuild
    clean: commands.Clean
    runtime: runtime.Runtime


@plain_dataclass(frozen=True)
class Job:
    """One run of a stage or command: its settings, and the folder below which it writes."""

    settings: Settings
    recipe: Recipe
    out: Path

    @classmethod
    def of(cls, config: "DictConfig", out: Path = Path()) -> "Job":
        """Validate a composed config; ValueError names each invalid key and the allowed values."""
        values = resolved(config)
        recipe = {name: value for name, value in values.items() if name not in UNHASHED}
        return cls(build(Settings, values, ""), recipe, out)


def resolved(config: "DictConfig") -> Recipe:
    """A composed config as plain values; an interpolation that cannot be resolved raises ValueError."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        values = OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        raise ValueError(f"the config cannot be resolved: {str(error).splitlines()[0]}") from error
    assert isinstance(values, dict)
    return {str(name): value for name, value in values.items()}
