"""How a run is named and grouped: one group for a pipeline run, an experiment or a sweep."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foundling.artifacts import fingerprint
from foundling.selection import key_of, selected
from foundling.settings import Job, Recipe
from foundling.tracking.settings import LONGEST, LONGEST_TAG, WandbSettings
from foundling.weights.provenance import git

if TYPE_CHECKING:
    from hydra.conf import HydraConf

DEFAULT = "default"  # without an experiment
TAGGED = ("corpus", "model")  # groups of conf/ whose choices become tags
# hashes of the code and of the user's own files, by `foundling compose`
COMPARED = ("code.yaml", "inputs.yaml")


@dataclass(frozen=True)
class Names:
    """The names of a run, and what is recorded in its config besides the recipe."""

    name: str
    group: str
    tags: tuple[str, ...]
    experiment: str
    commit: str | None
    overrides: dict[str, str]  # of the command line, or of the job of a sweep


def names(job: Job, stage: str, settings: WandbSettings) -> Names:
    """Name a stage's run; what the user set comes first."""
    hydra = _hydra()
    choices = dict(hydra.runtime.choices) if hydra else {}
    own = _own_overrides(hydra) if hydra else []
    sweep = _sweep(hydra, stage)
    experiment = os.environ.get("DVC_EXP_NAME") or choices.get("experiment") or DEFAULT
    commit = os.environ.get("DVC_EXP_BASELINE_REV") or git("rev-parse", "HEAD")
    chosen = (experiment, *(choices[group] for group in TAGGED if choices.get(group))) if hydra else ()
    return Names(
        name=settings.name or (",".join(own)[:LONGEST] if sweep and own else stage),
        group=settings.group or sweep or _pipeline_run(job.recipe, experiment, commit)[:LONGEST],
        tags=tuple(dict.fromkeys((*settings.tags, *(str(choice)[:LONGEST_TAG] for choice in chosen)))),
        experiment=experiment,
        commit=commit,
        overrides={key_of(override): override.partition("=")[2] for override in own},
    )


def _hydra() -> "HydraConf | None":
    """Hydra's own config of this job; None if the stage was called without Hydra."""
    from hydra.core.hydra_config import HydraConfig

    return HydraConfig.get() if HydraConfig.initialized() else None


def _own_overrides(hydra: "HydraConf") -> list[str]:
    """The overrides of the command line or the sweep, without those of params.yaml."""
    lines: Any = hydra.overrides.task
    inherited = set(selected())
    return [line for line in lines if line not in inherited]


def _sweep(hydra: "HydraConf | None", stage: str) -> str | None:
    """The group of a sweep: W&B's id of its own sweeps, or the stage and the folder of a multirun."""
    if "WANDB_SWEEP_ID" in os.environ:
        return f"sweep-{os.environ['WANDB_SWEEP_ID']}"
    if hydra is None or hydra.mode is None or hydra.mode.name != "MULTIRUN":
        return None
    return f"{stage}-{Path(hydra.sweep.dir).name}"


def _pipeline_run(recipe: Recipe, experiment: str, commit: str | None) -> str:
    """Experiment, commit, and a hash of what DVC compares: settings, code, the user's own files.

    All stages of one `dvc repro` share them, also if it was interrupted and started again.
    """
    compared = [Path(name).read_text() if Path(name).is_file() else "" for name in COMPARED]
    return "-".join(filter(None, (experiment, commit and commit[:7], fingerprint([recipe, compared])[:6])))
