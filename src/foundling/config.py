"""Compose conf/ and a list of overrides into one config.

Imports neither torch nor lightning; Hydra only where something is composed. What a user wrote becomes overrides in
overrides.py.
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


def conf_folder() -> Path:
    """The project's conf/ as an absolute path; ValueError outside of a project."""
    folder = Path(CONF).absolute()
    if not (folder / "config.yaml").is_file():
        raise ValueError(f"no {CONF}/config.yaml in {Path.cwd()}; run foundling in the root of a Foundling project")
    return folder


def groups(config_dir: Path | None = None) -> dict[str, list[str]]:
    """Every config group with its choices, as the files lie in conf/ and in a folder given by --config-dir."""
    found: dict[str, list[str]] = {}
    for folder in (conf_folder(), *([config_dir] if config_dir else [])):
        for file in sorted(folder.rglob("*.yaml")):
            group = file.parent.relative_to(folder).as_posix()
            if group != "." and not group.startswith("hydra/") and file.stem not in found.get(group, []):
                found.setdefault(group, []).append(file.stem)
    return found


@contextmanager
def loading(config_dir: Path | None = None) -> Iterator["ConfigLoader"]:
    """Hydra's loader of conf/ and of --config-dir; Hydra's plugins have added their groups to it."""
    from hydra import initialize_config_dir
    from hydra._internal.hydra import Hydra
    from hydra._internal.utils import create_config_search_path
    from hydra.core.config_search_path import SearchPathQuery
    from hydra.core.global_hydra import GlobalHydra

    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        if config_dir is not None:  # as hydra.main does; the public API takes one folder only
            search_path = create_config_search_path(str(conf_folder()))
            place = f"file://{config_dir.absolute()}"
            search_path.prepend("command-line", place, anchor=SearchPathQuery(provider="schema"))
            GlobalHydra.instance().clear()
            Hydra.create_main_hydra2("foundling", search_path)
        yield GlobalHydra.instance().config_loader()


def compose(overrides: list[str], config_dir: Path | None = None, with_hydra: bool = False) -> "DictConfig":
    """Compose conf/ with overrides; whatever does not fit is a ValueError of one line."""
    from hydra import compose as hydra_compose
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    try:
        with loading(config_dir):
            return hydra_compose("config", overrides, return_hydra_config=with_hydra)
    except (HydraException, OmegaConfBaseException, yaml.YAMLError) as error:
        raise ValueError(f"the config cannot be composed: {reason(error)}") from error


def reason(error: Exception) -> str:
    """Why Hydra or OmegaConf refused something, in one line."""
    lines = str(error).splitlines()
    return " ".join(str(error).split()) if isinstance(error, yaml.YAMLError) or not lines else lines[0]


def near(word: str, names: list[str]) -> str:
    """The names that resemble a word: by spelling, or by ending alike (lr -> pretrain.optimizer.lr)."""
    near = [name for name in names if name.split(".")[-1] == word.split(".")[-1]]
    near += difflib.get_close_matches(word, names, n=3, cutoff=0.5)
    near = list(dict.fromkeys(near))[:4]
    return f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(sorted(names)[:12])}"
