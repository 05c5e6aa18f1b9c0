"""metrics/*_run.json: the run that trained a model. Unlike the model, it differs from run to run."""

from collections.abc import Mapping

from pydantic.dataclasses import dataclass

from foundling.metrics import SCHEMA


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class Run:
    """Commit, settings, machine and speed of a training."""

    weights_sha256: str
    commit: str | None  # None outside of a git repository
    dirty: bool | None  # whether tracked files had uncommitted changes
    overrides: tuple[str, ...]  # of the command line and of params.yaml
    python: str
    machine: str
    device: str
    seconds: Mapping[str, float]
    tokens_per_second: int
    wandb: str | None  # URL of the W&B run
    deterministic: bool | None = None
    microbatches: int | None = None  # per batch
