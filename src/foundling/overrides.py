"""Turn the command line, after the selection in params.yaml, into arguments for Hydra, with texts quoted.

The flags and the grammar of the command line are Hydra's, except that texts are taken literally
(literals.py).
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foundling.command_line import POSITIONAL, own_settings, parse_arguments
from foundling.config import CONF, NOT_CHOICES, compose, groups, loading, suggest
from foundling.literals import quoted_override
from foundling.parsing import first_jobs, grid, parse
from foundling.selection import flat, key_of, selected
from foundling.sweeps.records import OBJECTIVES

if TYPE_CHECKING:
    from omegaconf import DictConfig


OPTUNA = "hydra_plugins.foundling_optuna."  # the module of our sweeper
EXTRA = "pip install -c constraints.txt -e '.[sweeps]'"
OF_EXTRA = ("joblib", "submitit_local", "submitit_slurm")  # launchers


@dataclass(frozen=True)
class Sweep:
    """A sweep before it starts."""

    first: "DictConfig"  # the config of its first job
    sweeper: Any  # Hydra's section of that name
    folder: Path
    typed: tuple[str, ...]  # the overrides of the command line, without those of params.yaml
    swept: tuple[str, ...]  # the overrides with several values
    jobs: tuple[tuple[str, ...], ...]  # those of each job; empty if a sweeper chooses them
    has_folder: bool  # whether the command line names the folder


@dataclass(frozen=True)
class Prepared:
    """The arguments for Hydra, and the config of a single run or a sweep; neither if nothing runs."""

    arguments: list[str]
    config: "DictConfig | None"
    sweep: Sweep | None = None


def prepare(command: str | None, arguments: Sequence[str]) -> Prepared:
    """Flags, the selection of params.yaml, and the command line's overrides; invalid ones raise ValueError.

    `command` is the section whose settings may be named without it (`prompt=…` for generate.prompt).
    """
    from omegaconf import open_dict

    line = parse_arguments(command, arguments)
    if line.foreign:
        return Prepared([*line.flags, *line.overrides], None)
    # Hydra cannot reset a choice to null; without this override, the null of conf/config.yaml applies
    typed = [argument for argument in line.overrides if argument != "experiment=null"]
    for argument in typed:
        _require_choice(argument)
    overrides = [
        *selected(line.overrides, line.config_dir),
        *(quoted_override(argument, line.multirun) for argument in typed),
    ]
    first = _first_config(overrides, line.multirun, line.config_dir, command)
    prepared = [*line.flags, *overrides]
    if not line.runs:
        return Prepared(prepared, None)
    if line.multirun:
        return Prepared(prepared, None, _sweep(first, overrides, typed, line.config_dir, command))
    with open_dict(first):
        del first["hydra"]
    return Prepared(prepared, first)


def _require_choice(argument: str) -> None:
    """Raise ValueError if the argument chooses a file that another program reads."""
    file = f"{key_of(argument)}/{argument.partition('=')[2]}"
    if file in NOT_CHOICES:
        raise ValueError(
            f"{argument}: {CONF}/{file}.yaml is for W&B alone; start it with `wandb sweep {CONF}/{file}.yaml`"
        )


def _first_config(
    overrides: Sequence[str], multirun: bool, config_dir: Path | None, command: str | None
) -> "DictConfig":
    """The config of a single run or of a sweep's first job, with Hydra's own section.

    One job for each other choice of the sweep is composed as well, so that an unknown one is an error.
    """
    with loading(config_dir) as loader:
        jobs = first_jobs(overrides, multirun, loader)
    first, *_ = [_composed(job, config_dir, command) for job in jobs]
    return first


def _sweep(
    first: "DictConfig",
    overrides: list[str],
    typed: Sequence[str],
    config_dir: Path | None,
    command: str | None,
) -> Sweep:
    """The jobs of a sweep, also over the values that `hydra.sweeper.params` in a file of conf/sweep names."""
    from omegaconf import OmegaConf, open_dict

    _require_plugins(first)
    sweeper, named = first.hydra.sweeper, {key_of(override) for override in overrides}
    params = [f"{key}={value}" for key, value in (sweeper.get("params") or {}).items() if key not in named]
    if params:
        first = _first_config([*overrides, *params], True, config_dir, command)
    with loading(config_dir) as loader:
        parsed = parse([*params, *overrides], loader)
        swept = [str(override.input_line) for override in parsed if override.is_sweep_override()]
        jobs = [()] * sweeper.n_trials if "n_trials" in sweeper else grid(swept, loader)
    settings, folder = OmegaConf.to_container(first.hydra.sweeper), Path(first.hydra.sweep.dir)
    with open_dict(first):
        del first["hydra"]
    is_named = "hydra.sweep.dir" in named
    return Sweep(first, settings, folder, tuple(typed), tuple(swept), tuple(jobs), is_named)


def _require_plugins(config: "DictConfig") -> None:
    """Raise ValueError if a chosen sweeper or launcher lacks a package or a program."""
    if str(config.hydra.sweeper.get("_target_")).startswith(OPTUNA):
        if find_spec("optuna") is None:
            raise ValueError(f"hydra/sweeper=optuna needs the package optuna; install it with {EXTRA}")
        if config.hydra.job.name not in OBJECTIVES:
            raise ValueError(
                f"hydra/sweeper=optuna searches the settings of {', '.join(OBJECTIVES)}, not of "
                f"{config.hydra.job.name}; use -m with lists of values"
            )
    if config.hydra.runtime.choices["hydra/launcher"] == "submitit_slurm" and shutil.which("srun") is None:
        raise ValueError(
            "hydra/launcher=submitit_slurm: no program srun, so this is not a machine of a SLURM cluster; "
            "use hydra/launcher=submitit_local here"
        )


def _composed(overrides: list[str], config_dir: Path | None, command: str | None) -> "DictConfig":
    """The config with Hydra's own section; an unknown choice or key raises ValueError with similar ones."""
    from hydra.errors import MissingConfigException

    try:
        return compose(overrides, config_dir, with_hydra=True)
    except ValueError as error:
        cause = error.__cause__
        if isinstance(cause, MissingConfigException) and cause.options is not None:
            raise ValueError(_unknown_choice(str(cause.missing_cfg_file), cause.options)) from None
        raise ValueError(_unknown_key(overrides, config_dir, command) or str(error)) from error


def _unknown_choice(file: str, options: Sequence[str]) -> str:
    group, _, choice = file.rpartition("/")
    if not group.startswith("hydra/"):
        return f"{group}={choice} is not one of {CONF}/{group}; {suggest(choice, list(options))}"
    hint = ""
    if group == "hydra/launcher" and choice in OF_EXTRA:
        hint = f", or install the extra: {EXTRA}"
    elif group in ("hydra/launcher", "hydra/sweeper"):
        hint = (
            f", or install a package such as hydra-{choice.partition('_')[0]}-{group.removeprefix('hydra/')}"
        )
    return f"{group}={choice} is not installed; choose one of {', '.join(options)}{hint}"


def _unknown_key(overrides: Sequence[str], config_dir: Path | None, command: str | None) -> str:
    """A message about the first override whose key does not exist with these choices, or an empty string."""
    from omegaconf import OmegaConf

    with loading(config_dir) as loader:
        parsed = parse(overrides, loader)
        chosen = [override for override in parsed if loader.get_group_options(override.key_or_group)]
    choices = [str(override.input_line) for override in chosen]
    try:
        values = OmegaConf.to_container(compose(choices, config_dir, with_hydra=True), resolve=False)
    except ValueError:
        return ""
    assert isinstance(values, dict)
    names = [
        *(key for key, _ in flat({str(key): value for key, value in values.items()})),
        *groups(config_dir),
    ]
    for override in parsed:
        key = override.key_or_group
        if not (override.is_add() or override.is_force_add() or override in chosen or _has(values, key)):
            similar = [name for name in names if name.startswith("hydra.") == key.startswith("hydra.")]
            return f"unknown setting or group {key}; {_suggest(key, similar, command)}"
    return ""


def _suggest(key: str, names: list[str], command: str | None) -> str:
    """Similar names; without any, for a command with an argument that has no key, how to call it."""
    suggestion = suggest(key, names)
    if command not in POSITIONAL or suggestion.startswith("did you mean"):
        return suggestion
    setting, argument = POSITIONAL[command]
    own = " ".join(f"{name}=…" for name in own_settings(command) if name != setting)
    return f"the usage is `foundling {command} {argument} {own}`"


def _has(values: Any, key: str) -> bool:
    """Whether nested values have a dotted key."""
    for part in key.split("."):
        if isinstance(values, list) and part.isdigit() and int(part) < len(values):
            values = values[int(part)]
        elif isinstance(values, dict) and part in values:
            values = values[part]
        else:
            return False
    return True
