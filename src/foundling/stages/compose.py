"""Write composed.yaml from conf/ and params.yaml, and hashes of code and of own files, all for DVC to compare."""

from pathlib import Path
from typing import Any

import yaml

from foundling.artifacts import atomic_file
from foundling.code import CODE, stage_hashes
from foundling.config import COMPOSED, recipe
from foundling.data.inputs import INPUTS, inputs
from foundling.plain import read_yaml
from foundling.settings import Job

PACKAGE = Path(__file__).parents[1]
COMPOSED_HEAD = "from conf/ and params.yaml: this experiment, to the last value"
CODE_HEAD = "from src/foundling: for each stage, one hash of what its code does"
INPUTS_HEAD = "from your own files: how many each source has, and a hash of their names and contents"


def run(job: Job) -> None:
    """Write the resolved recipe and the hashes; equal settings, code and files give equal bytes."""
    config, out = job.config, job.out
    settings = recipe(config)
    mirror = Path(config.runtime.mirror).expanduser() if config.runtime.mirror else None
    recorded = read_yaml(out / INPUTS) if (out / INPUTS).is_file() else None
    own = inputs(settings, mirror, recorded if isinstance(recorded, dict) else {})
    _write(out / COMPOSED, COMPOSED_HEAD, settings)
    _write(out / CODE, CODE_HEAD, stage_hashes(PACKAGE, settings))
    _write(out / INPUTS, INPUTS_HEAD, own)


def _write(path: Path, head: str, values: dict[str, Any]) -> None:
    with atomic_file(path) as file:
        file.write(f"# Made by `foundling compose` {head}. Do not edit.\n")
        yaml.safe_dump(values, file, sort_keys=False, allow_unicode=True, width=120)
