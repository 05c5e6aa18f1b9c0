"""Settings of published weights to start from."""

from typing import Self

from pydantic import model_validator
from pydantic.dataclasses import dataclass

from foundling.settings.datasets import File, Hub
from foundling.validation import STRICT

FETCHED_WEIGHTS = "data/raw/weights"  # where the stage `weights` puts them


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Weights:
    """Published weights to begin with; conf/weights."""

    init_from: str
    files: tuple[File, ...]
    hub: Hub | None
    path: str | None = None  # the user's own: a GGUF file, a wheel or zip with one, a folder as on the hub
    member: str | None = None  # a glob of the GGUF file to take from an archive or folder; None: its only one

    @model_validator(mode="after")
    def _name_what_is_fetched(self) -> Self:
        if self.init_from == FETCHED_WEIGHTS and not (self.files or self.hub or self.path):
            raise ValueError(
                "path=null: must be a GGUF file, a wheel or zip with one, or a folder with config.json and "
                "safetensors; set weights.path=model.gguf"
            )
        return self
