"""Compose conf/ and params.yaml into composed.yaml, and hash each stage's code into code.yaml, for DVC."""

from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig

from foundling.artifacts import atomic_file
from foundling.code import CODE, stage_hashes
from foundling.config import COMPOSED, recipe

PACKAGE = Path(__file__).parents[1]
COMPOSED_HEAD = "from conf/ and params.yaml: this experiment, to the last value"
CODE_HEAD = "from src/foundling: for each stage, one hash of what its code does"


def run(config: DictConfig, out: Path) -> None:
    """Write the resolved recipe and the hashes of the code; equal settings and code give equal bytes."""
    _write(out / COMPOSED, COMPOSED_HEAD, recipe(config))
    _write(out / CODE, CODE_HEAD, stage_hashes(PACKAGE))


def _write(path: Path, head: str, values: dict[str, Any]) -> None:
    with atomic_file(path) as file:
        file.write(f"# Made by `foundling compose` {head}. Do not edit.\n")
        yaml.safe_dump(values, file, sort_keys=False, allow_unicode=True, width=120)
