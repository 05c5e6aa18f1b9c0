"""Compose conf/ and params.yaml into composed.yaml, which DVC hashes section by section."""

from pathlib import Path

import yaml
from omegaconf import DictConfig

from foundling.artifacts import atomic_file
from foundling.config import COMPOSED, recipe

HEAD = "# Made by `foundling compose` from conf/ and params.yaml: this experiment, to the last value. Do not edit.\n"


def run(config: DictConfig, out: Path) -> None:
    """Write the resolved recipe; equal settings give equal bytes."""
    with atomic_file(out / COMPOSED) as file:
        file.write(HEAD)
        yaml.safe_dump(recipe(config), file, sort_keys=False, allow_unicode=True, width=120)
