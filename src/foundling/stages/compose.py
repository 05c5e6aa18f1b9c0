"""Write the settings (composed.yaml) and hashes of code and of the user's files, which DVC compares."""

from importlib.util import find_spec
from pathlib import Path

import yaml

from foundling.artifacts import atomic_file, fingerprint
from foundling.code import CODE, file_hash, stage_hashes
from foundling.config import COMPOSED
from foundling.data.inputs import INPUTS, inputs
from foundling.plain import read_yaml
from foundling.settings import Job, Recipe
from foundling.settings.models import Model
from foundling.settings.types import CustomComponent

PACKAGE = Path(__file__).parents[1]
MODEL_STAGES = ("pretrain", "classify", "instruct", "evaluate")
COMPOSED_HEAD = "from conf/ and params.yaml: all settings of this experiment"
CODE_HEAD = "from src/foundling: for each stage, one hash of what its code does"
INPUTS_HEAD = (
    "from your own files: the number of files of each source, and a hash of their names and contents"
)


def run(job: Job) -> None:
    """Write the resolved recipe and the hashes; equal settings, code and files give equal bytes."""
    recorded = read_yaml(job.out / INPUTS) if (job.out / INPUTS).is_file() else None
    own = inputs(job.settings, recorded if isinstance(recorded, dict) else {})
    _write(job.out / COMPOSED, COMPOSED_HEAD, job.recipe)
    _write(job.out / CODE, CODE_HEAD, _code_hashes(job.recipe, job.settings.model))
    _write(job.out / INPUTS, INPUTS_HEAD, own)


def _code_hashes(recipe: Recipe, model: Model) -> dict[str, str]:
    """The hashes of all stages; those of stages that run the model include a custom architecture."""
    hashes = stage_hashes(PACKAGE, recipe)
    if isinstance(model, CustomComponent):
        module = model.target.rpartition(".")[0]
        try:
            spec = find_spec(module)
        except (ImportError, ValueError):
            spec = None
        if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
            raise ValueError(
                f"model._target_={model.target}: there is no Python module {module}; fix the name"
            )
        own = file_hash(Path(spec.origin))
        hashes |= {stage: fingerprint([hashes[stage], own]) for stage in MODEL_STAGES}
    return hashes


def _write(path: Path, head: str, values: object) -> None:
    with atomic_file(path) as file:
        file.write(f"# Made by `foundling compose` {head}. Do not edit.\n")
        yaml.safe_dump(values, file, sort_keys=False, allow_unicode=True, width=120)
