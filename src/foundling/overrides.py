"""Turn the command line, after the selection in params.yaml, into arguments for Hydra, with texts quoted.

The flags and the grammar of the command line are Hydra's, except that texts are taken literally
(literals.py).
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foundling.command_line import POSITIONAL, own_settings, parse_arguments
from foundling.config import CONF, compose, groups, loading, reason, suggest
from foundling.literals import quoted, quoted_override
from foundling.selection import flat, selected

if TYPE_CHECKING:
    from hydra.core.config_loader import ConfigLoader
    from hydra.core.override_parser.types import Override
    from omegaconf import DictConfig


@dataclass(frozen=True)
class Prepared:
    """The arguments for Hydra, and the config of a single run; None for a sweep, or if nothing runs."""

    arguments: list[str]
    config: "DictConfig | None"


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
    overrides = [
        *selected(line.overrides, line.config_dir),
        *(quoted_override(argument, line.multirun) for argument in typed),
    ]
    with loading(line.config_dir) as loader:
        jobs = _jobs(overrides, line.multirun, loader)
    configs = [_composed(job, line.config_dir, command) for job in jobs]
    with open_dict(configs[0]):
        del configs[0]["hydra"]
    is_single = line.runs and not line.multirun
    return Prepared([*line.flags, *overrides], configs[0] if is_single else None)


def _jobs(overrides: Sequence[str], multirun: bool, loader: "ConfigLoader") -> list[list[str]]:
    """The overrides of the jobs to compose before a sweep starts: the first, and one for each other choice.

    The other values of a sweep are checked when their jobs start.
    """
    first: list[str] = []
    others: list[tuple[int, str]] = []  # with the index in `first` that each replaces
    for override in _parse(overrides, loader):
        text = str(override.input_line)
        if override.is_sweep_override():
            key, values = override.get_key_element(), _sweep(override)
            if not multirun:
                raise ValueError(
                    f"{text} is a sweep; add -m to run its values one by one, or put a list in brackets: "
                    f"{shlex.quote(f'{key}=[{override.get_value_string()}]')}"
                )
            options = loader.get_group_options(override.key_or_group)
            if not values or (options and override.is_interval_sweep()):
                raise ValueError(f"{text} matches none of {', '.join(options)}")
            text = f"{key}={values[0]}"
            if options:
                others += [(len(first), f"{key}={value}") for value in values[1:]]
        first.append(text)
    return [first, *([*first[:place], other, *first[place + 1 :]] for place, other in others)]


def _sweep(override: "Override") -> list[str]:
    """The values of a sweep; for an interval, only its start."""
    if override.is_interval_sweep():
        return [str(override.value().start)]  # type: ignore[union-attr]
    return list(override.sweep_string_iterator())


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
    if group in ("hydra/launcher", "hydra/sweeper"):
        hint = (
            f", or install a package such as hydra-{choice.partition('_')[0]}-{group.removeprefix('hydra/')}"
        )
    return f"{group}={choice} is not installed; choose one of {', '.join(options)}{hint}"


def _unknown_key(overrides: Sequence[str], config_dir: Path | None, command: str | None) -> str:
    """A message about the first override whose key does not exist with these choices, or an empty string."""
    from omegaconf import OmegaConf

    with loading(config_dir) as loader:
        parsed = _parse(overrides, loader)
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


def _parse(arguments: Sequence[str], loader: "ConfigLoader") -> list["Override"]:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    parser = OverridesParser.create()
    parsed = []
    for argument in arguments:
        try:
            parsed.append(parser.parse_override(argument))
            parsed[-1].config_loader = loader  # lists what a glob may match
        except HydraException as error:
            key, equals, value = argument.partition("=")
            fix = f"quote a text: {shlex.quote(f'{key}={quoted(value)}')}" if equals else "write key=value"
            raise ValueError(f"{argument!r} cannot be read ({reason(error)}); {fix}") from None
    return parsed
