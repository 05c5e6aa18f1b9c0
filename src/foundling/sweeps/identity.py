"""The hash of all that determines the result of a job or a sweep: settings, inputs and code."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from foundling.artifacts import fingerprint
from foundling.code import stage_hashes, targets
from foundling.settings import Recipe

PACKAGE = Path(__file__).parents[1]


def job_identity(command: str, recipe: Recipe, inputs: Mapping[str, str]) -> str:
    """The hash of a job of this command: its recipe, the hashes of the files that it reads, and its code."""
    code = _code(command, tuple(targets(recipe.get(command))))
    return fingerprint({"command": command, "recipe": recipe, "inputs": dict(inputs), "code": code})


def sweep_identity(first_job: str, swept: Sequence[str], sweeper: Any) -> str:
    """The hash of a sweep: its first job, the overrides with several values, and how a sweeper chooses."""
    return fingerprint({"job": first_job, "swept": list(swept), "sweeper": sweeper})


@cache  # the code that this process has loaded, even if its files change later
def _code(command: str, named: tuple[str, ...]) -> str:
    return stage_hashes(PACKAGE, {command: [{"_target_": name} for name in named]})[command]
