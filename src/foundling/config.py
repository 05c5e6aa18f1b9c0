"""Compose conf/ and a list of overrides into one config.

Imports neither torch nor lightning, and Hydra only to compose. overrides.py turns the user's input into
overrides.
"""

import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from hydra.core.config_loader import ConfigLoader
    from omegaconf import DictConfig

CONF = "conf"
COMPOSED = "composed.yaml"
NOT_CHOICES = ("sweep/wandb",)  # files in conf/ that other programs read: W&B's own sweep


def conf_folder() -> Path:
    """The project's conf/ as an absolute path; ValueError outside of a project."""
    folder = Path(CONF).absolute()
    if not (folder / "config.yaml").is_file():
        raise ValueError(
            f"no {CONF}/config.yaml in {Path.cwd()}; run foundling in the root of a Foundling project"
        )
    return folder


def groups(config_dir: Path | None = None) -> dict[str, list[str]]:
    """Every config group with its choices: the files in conf/ and in the folder of --config-dir."""
    choices: dict[str, list[str]] = {}
    for folder in (conf_folder(), *([config_dir] if config_dir else [])):
        for file in sorted(folder.rglob("*.yaml")):
            group = file.parent.relative_to(folder).as_posix()
            if group == "." or group.startswith("hydra/") or f"{group}/{file.stem}" in NOT_CHOICES:
                continue
            if file.stem not in choices.get(group, []):
                choices.setdefault(group, []).append(file.stem)
    return choices


@contextmanager
def loading(config_dir: Path | None = None) -> Iterator["ConfigLoader"]:
    """Hydra's config loader for conf/ and --config-dir, including the groups that Hydra's plugins add."""
    from hydra import initialize_config_dir
    from hydra._internal.hydra import Hydra
    from hydra._internal.utils import create_config_search_path
    from hydra.core.config_search_path import SearchPathQuery
    from hydra.core.global_hydra import GlobalHydra

    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        if config_dir is not None:  # as hydra.main does; the public API accepts a single folder
            search_path = create_config_search_path(str(conf_folder()))
            place = f"file://{config_dir.absolute()}"
            search_path.prepend("command-line", place, anchor=SearchPathQuery(provider="schema"))
            GlobalHydra.instance().clear()
            Hydra.create_main_hydra2("foundling", search_path)
        yield GlobalHydra.instance().config_loader()


def compose(overrides: list[str], config_dir: Path | None = None, with_hydra: bool = False) -> "DictConfig":
    """Compose conf/ with overrides; invalid ones raise a one-line ValueError."""
    from hydra import compose as hydra_compose
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    try:
        with loading(config_dir):
            return hydra_compose("config", overrides, return_hydra_config=with_hydra)
    except (HydraException, OmegaConfBaseException, yaml.YAMLError) as error:
        raise ValueError(f"the config cannot be composed: {reason(error)}") from error


def reason(error: Exception) -> str:
    """The message of an error of Hydra or OmegaConf, in one line."""
    lines = str(error).splitlines()
    return " ".join(str(error).split()) if isinstance(error, yaml.YAMLError) or not lines else lines[0]


def suggest(word: str, names: list[str]) -> str:
    """Suggest names with a similar spelling, or with the same last part (lr -> pretrain.optimizer.lr)."""
    similar = [name for name in names if name.split(".")[-1] == word.split(".")[-1]]
    similar += difflib.get_close_matches(word, names, n=3, cutoff=0.5)
    similar = list(dict.fromkeys(similar))[:4]
    if similar:
        return f"did you mean {' or '.join(similar)}?"
    return f"choose one of {', '.join(sorted(names)[:12])}" + (", …" if len(names) > 12 else "")
