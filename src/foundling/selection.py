"""Read the selection, params.yaml, as overrides: the choices of groups, and single values under `set`."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from foundling.config import conf_folder
from foundling.literals import is_section, is_text, literal, quoted
from foundling.plain import read_yaml

SELECTION = "params.yaml"


def selected(
    typed: Sequence[str] = (), config_dir: Path | None = None, path: Path = Path(SELECTION)
) -> list[str]:
    """The choices in params.yaml and the values under its `set`, as overrides; keys of `typed` are omitted.

    A line of the selection names a group's choice (null: none); `set` has single values. An experiment or a
    choice of conf/sweep is a set of choices itself, so it replaces the selection's lines for the groups that
    it names, but not the values under `set`, except those that a sweep varies.
    """
    choices, single = _read(path)
    keys = {key_of(override) for override in typed}
    experiments = _choices(typed, "experiment") or [str(choices.get("experiment") or "")]
    sets = [("experiment", name) for name in experiments] + [
        ("sweep", name) for name in _choices(typed, "sweep")
    ]
    replaced = keys.union(*(_keys_of(group, name, config_dir) for group, name in sets))
    chosen = {
        group: choice for group, choice in choices.items() if group not in replaced and choice is not None
    }
    overrides = [f"{group}={literal(choice)}" for group, choice in chosen.items()]
    for key, value in flat(single, is_section):
        if key not in replaced:
            as_text = isinstance(value, str) and is_text(key)
            try:
                overrides.append(f"{key}={quoted(value) if as_text else literal(value)}")
            except ValueError as error:
                raise ValueError(f"`set` in {path}: {key}: {error}") from None
    return overrides


def origin_of(message: str, arguments: Sequence[str], path: Path = Path(SELECTION)) -> str:
    """A note for an error message about values that come from params.yaml, or an empty string."""
    try:
        choices, single = _read(path)
    except ValueError:
        return ""
    if str(path) in message:
        return ""
    typed = {key_of(argument) for argument in arguments}
    keys = {key for key, _ in flat(single)} - typed
    named = [key for key in sorted(keys) if re.search(rf"(?<![\w.]){re.escape(key)}(?![\w.]*\w)", message)]
    lines = [f"{group}={choice}" for group, choice in choices.items() if group not in typed]
    named += [line for line in lines if re.search(rf"(?<![\w.]){re.escape(line)}(?!\w)", message)]
    return f" ({', '.join(named)}: from {path})" if named else ""


def key_of(override: str) -> str:
    """The group or dotted key that an override names."""
    return override.partition("=")[0].lstrip("+~")


def flat(
    values: Mapping[str, Any], opens: Callable[[str], bool] = lambda key: True, prefix: str = ""
) -> Iterator[tuple[str, Any]]:
    """Dotted keys and their values; a mapping stays a single value unless `opens(key)`."""
    for key, value in values.items():
        if isinstance(value, dict) and value and opens(f"{prefix}{key}"):
            yield from flat(value, opens, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The choice of each group, and the values under `set`; ValueError for anything else."""
    values = read_yaml(path) if path.is_file() else {}
    if not isinstance(values, dict):
        raise ValueError(
            f"{path} is of type {type(values).__name__}; it must have lines `group: choice`, and `set: {{…}}`"
        )
    for group, choice in values.items():
        if not isinstance(choice, str | int | float | None) and group != "set":
            raise ValueError(f"{path}: {group} is {str(choice)[:60]}; it must be a choice of conf/{group}")
    single = values.pop("set", None) or {}
    if not isinstance(single, dict):
        raise ValueError(
            f"{path}: `set` is {single!r}; it must be nested values, such as set: {{pretrain: {{max_steps: "
            f"9}}}}"
        )
    return values, single


def _choices(typed: Sequence[str], group: str) -> list[str]:
    """The choices of a group on the command line; of a sweep over several, each."""
    chosen = [override.partition("=")[2] for override in typed if key_of(override) == group]
    return [name for choice in chosen for name in choice.split(",")]


def _keys_of(group: str, name: str, config_dir: Path | None) -> set[str]:
    """The groups that <group>/<name>.yaml chooses itself (`- override /model: small` in its defaults).

    Those of an experiment that it builds on (`- books`) count as well, and the keys of a sweep.
    """
    folders = (conf_folder(), *([config_dir] if config_dir else []))
    file = next((f for folder in folders if (f := folder / group / f"{name}.yaml").is_file()), None)
    if not name or file is None:
        return set()
    values = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    defaults, sweeper = values.get("defaults", []), (values.get("hydra") or {}).get("sweeper") or {}
    bases = [line for line in defaults if isinstance(line, str) and line != "_self_"]
    own = [key for line in defaults if isinstance(line, dict) for key in line]
    chosen = {key.removeprefix("override").strip().lstrip("/") for key in own}
    chosen |= {str(key) for key in sweeper.get("params") or {}}
    return chosen.union(*(_keys_of(group, base, config_dir) for base in bases))
