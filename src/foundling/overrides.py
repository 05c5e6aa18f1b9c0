"""What a user wrote, on the command line and in params.yaml, as arguments for Hydra: checked, with all texts quoted.

The command line's flags and grammar are Hydra's. Texts alone are taken word for word (literals.py).
"""

import argparse
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import yaml

from foundling.config import CONF, compose, conf_folder, groups, loading, near, reason
from foundling.literals import WORDS, find, is_text, literal, may_be_null, quoted
from foundling.plain import read_yaml

if TYPE_CHECKING:
    from hydra.core.config_loader import ConfigLoader
    from hydra.core.override_parser.types import Override
    from omegaconf import DictConfig

SELECTION = "params.yaml"
SET = f"`set` in {SELECTION}"
# one value of a sweep over texts: in quotes, or up to the next comma that has no backslash before it
ONE_OF_SEVERAL = re.compile(r"""\s*('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|(?:\\,|[^,])*)\s*(?:,|$)""", re.DOTALL)


@dataclass(frozen=True)
class CommandLine:
    """A command line, taken apart by Hydra's own parser."""

    flags: list[str]
    overrides: list[str]  # with their keys in full
    multirun: bool
    config_dir: Path | None
    runs: bool  # the command, instead of showing a config (--cfg) or Hydra's own help
    foreign: bool  # has another primary config than ours, whose keys are not ours to check


@dataclass(frozen=True)
class Prepared:
    """The arguments for Hydra, and the config that a single run will get; None for a sweep, and where nothing runs."""

    arguments: list[str]
    config: "DictConfig | None"


def prepare(command: str | None, arguments: Sequence[str]) -> Prepared:
    """Flags, then the selection of params.yaml, then the command line's overrides; ValueError for what does not fit.

    `command` names the section whose settings may stand without it (`prompt=…` for generate.prompt).
    """
    line = parse_arguments(command, arguments)
    if line.foreign:
        return Prepared([*line.flags, *line.overrides], None)
    choices, single = read_selection(line)
    # Hydra cannot take a choice back; without the line, conf/config.yaml's own null holds
    given = [argument for argument in line.overrides if argument != "experiment=null"]
    with loading(line.config_dir) as loader:
        known = groups(line.config_dir)
        chosen = [
            *_checked_choices(choices, SELECTION, known, loader),
            *_checked_choices(given, "", known, loader),
        ]
    config = compose(chosen, line.config_dir, with_hydra=True)
    names = [*(key for key, _ in _values(config)), *known]
    written = _written(single, line, config)
    given = [_quoted(argument, config, line.multirun) for argument in given]
    values = _parse(written, SET)
    for override in values:
        _check_value(override, config, names, SET)
    for override in _parse(given, ""):
        if override.is_sweep_override() and not line.multirun:
            raise ValueError(
                f"{override.input_line} is a sweep; add -m to run its values one by one, or put a list in brackets: "
                f"{shlex.quote(f'{override.get_key_element()}=[{override.get_value_string()}]')}"
            )
        if not _is_choice(override, known):
            _check_value(override, config, names, "")
            values.append(override)
    arguments = [*line.flags, *choices, *written, *given]
    return Prepared(arguments, None if line.multirun or not line.runs else _with_values(config, values))


def _with_values(config: "DictConfig", values: Sequence["Override"]) -> "DictConfig":
    """The config as Hydra will compose it, which takes Hydra three times as long: the checks need not wait for it."""
    from hydra._internal.config_loader_impl import ConfigLoaderImpl
    from hydra.errors import HydraException
    from omegaconf import open_dict

    try:
        ConfigLoaderImpl._apply_overrides_to_config(list(values), config)
    except HydraException as error:
        raise ValueError(f"the config cannot be composed: {reason(error)}") from error
    with open_dict(config):
        del config["hydra"]
    return config


def origin_of(message: str, arguments: Sequence[str], path: Path = Path(SELECTION)) -> str:
    """A remark for an error that names values which `set` in params.yaml holds, not the command line; or nothing."""
    try:
        values = read_yaml(path) if path.is_file() else {}
    except ValueError:
        return ""
    single = values.get("set") if isinstance(values, dict) else None
    keys = {key for key, _ in _flat(single)} if isinstance(single, dict) else set()
    keys -= {_key(argument) for argument in arguments}
    named = [key for key in sorted(keys) if re.search(rf"(?<![\w.]){re.escape(key)}(?![\w.]*\w)", message)]
    return f" ({', '.join(named)}: from {SET})" if named and SET not in message else ""


def selected(arguments: Sequence[str] = (), path: Path = Path(SELECTION)) -> list[str]:
    """The selection as overrides, without what weighs more: the command line's keys, and the experiment's groups."""
    line = parse_arguments(None, arguments)
    choices, single = read_selection(line, path)
    with loading() as loader:
        chosen = _checked_choices([*choices, *line.overrides], SELECTION, groups(), loader)
    return [*choices, *_written(single, line, compose(chosen))]


def parse_arguments(command: str | None, arguments: Sequence[str]) -> CommandLine:
    """Part flags from overrides, as Hydra does, and complete the keys of the command's own settings."""
    for argument in arguments:
        if any("\ud800" <= character <= "\udfff" for character in argument):
            raise ValueError(f"the argument {argument!a} is not valid UTF-8; check the terminal's encoding")
    options = _Parser.of_hydra().parse_intermixed_args(list(arguments))
    flags = list(arguments)
    for override in reversed(options.overrides):
        del flags[len(flags) - 1 - flags[::-1].index(override)]
    config_dir = Path(options.config_dir) if options.config_dir else None
    if config_dir is not None and not config_dir.is_dir():
        raise ValueError(f"--config-dir: found no folder {config_dir}")
    return CommandLine(
        flags=flags,
        overrides=addressed(command, options.overrides) if command else options.overrides,
        multirun=options.multirun or any(_key(override) == "hydra.mode" for override in options.overrides),
        config_dir=config_dir,
        runs=not (options.cfg or options.info or options.hydra_help or options.shell_completion),
        foreign=bool(options.config_name or options.config_path or options.experimental_rerun),
    )


def addressed(command: str, arguments: Sequence[str]) -> list[str]:
    """Let a command's own settings be named without their section: `prompt=…` becomes generate.prompt=…."""
    own = yaml.safe_load((conf_folder() / "commands.yaml").read_text(encoding="utf-8"))[command]
    return [
        f"{command}.{argument}" if "=" in argument and argument.partition("=")[0] in own else argument
        for argument in arguments
    ]


def read_selection(line: CommandLine, path: Path = Path(SELECTION)) -> tuple[list[str], dict[str, Any]]:
    """The choices of params.yaml as overrides, and the values under its `set`.

    A line of the selection names a group's choice (none where it is null), `set` holds single values. An experiment is
    a set of choices of its own, so it replaces the selection's lines for the groups that it names; `set` comes on top.
    """
    values = read_yaml(path) if path.is_file() else {}
    if not isinstance(values, dict):
        raise ValueError(f"{path} holds {type(values).__name__}; it must be lines of `group: choice`, and `set: {{…}}`")
    for group, choice in values.items():
        if not isinstance(choice, str | int | float | None) and group != "set":
            raise ValueError(f"{path}: {group} holds {str(choice)[:60]}; it must be a choice of conf/{group}")
    single = values.pop("set", None) or {}
    if not isinstance(single, dict):
        raise ValueError(
            f"{path}: `set` holds {single!r}; it must be nested values, as set: {{pretrain: {{max_steps: 9}}}}"
        )
    experiments = [override.partition("=")[2] for override in line.overrides if _key(override) == "experiment"]
    experiments = experiments or [str(values.get("experiment") or "")]
    names = [name for experiment in experiments for name in experiment.split(",")]
    taken = {_key(override) for override in line.overrides}
    taken = taken.union(*(_groups_of_experiment(name, line.config_dir) for name in names))
    lines = [(group, choice) for group, choice in values.items() if group not in taken and choice is not None]
    return [f"{group}={literal(choice)}" for group, choice in lines], single


class _Parser(argparse.ArgumentParser):
    """Hydra's parser of flags, whose complaints are one line."""

    @classmethod
    def of_hydra(cls) -> argparse.ArgumentParser:
        from hydra._internal.utils import get_args_parser

        parser = get_args_parser()
        parser.__class__ = cls
        return parser

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message}; `foundling --hydra-help` lists the flags")


def _checked_choices(
    arguments: Sequence[str], origin: str, known: Mapping[str, list[str]], loader: "ConfigLoader"
) -> list[str]:
    """The overrides that choose of a group, sweeps by their first choice; an unknown choice raises ValueError."""
    chosen = [argument for argument in arguments if _key(argument) == "hydra.searchpath"]
    places = list(chosen)
    for argument in arguments:
        key = _key(argument).partition("@")[0]
        options = known.get(key, [])
        if "." not in key and (places or not options):  # Hydra's own groups, those of plugins and of hydra.searchpath
            options = loader.get_group_options(key, config_name="config", overrides=places)
        if not options:
            continue
        override = _parse([argument], origin)[0]
        choices = _choices(override, options)
        for choice in choices:
            if choice not in options and choice != "null":
                raise ValueError(_unknown_choice(key, choice, options, origin))
        if not choices:
            raise ValueError(f"{argument} matches none of {', '.join(options)}")
        chosen.append(argument if override.is_delete() else f"{override.get_key_element()}={choices[0]}")
    return chosen


def _choices(override: "Override", options: Sequence[str]) -> list[str]:
    from hydra.core.override_parser.types import Glob, Transformer

    value = override.value()
    if isinstance(value, Glob):
        return value.filter(list(options))
    if override.is_interval_sweep():
        raise ValueError(f"{override.input_line}: an interval is of numbers; choose from {', '.join(options)}")
    if override.is_sweep_override():
        return [str(choice) for choice in override.sweep_iterator(transformer=Transformer.str)]
    return ["null" if value is None else str(value)]


def _unknown_choice(key: str, choice: str, options: Sequence[str], origin: str) -> str:
    place = f" ({origin})" if origin else ""
    if not key.startswith("hydra/"):
        return f"{key}={choice} is not a choice of {CONF}/{key}{place}; {near(choice, list(options))}"
    hint = ""
    if key in ("hydra/launcher", "hydra/sweeper"):
        hint = f"; others are packages, as hydra-{choice.partition('_')[0]}-{key.removeprefix('hydra/')}"
    return f"{key}={choice}{place} is not installed; installed are {', '.join(options)}{hint}"


def _is_choice(override: "Override", known: Mapping[str, list[str]]) -> bool:
    return override.key_or_group in known or "/" in override.key_or_group


def _check_value(override: "Override", config: "DictConfig", names: list[str], origin: str) -> None:
    """Refuse a key that is not of the config, and a switch or number set to something else.

    A sweep's values are checked as its jobs come, one by one.
    """
    key = override.key_or_group
    if override.is_add() or override.is_force_add():
        return
    node = find(config, key)
    if node is None:
        own = [name for name in names if name.startswith("hydra.") == key.startswith("hydra.")]
        raise ValueError(f"{_place(origin)}{key} is no value of the config and no group of {CONF}/; {near(key, own)}")
    value, default = override.value(), node._value()
    if override.is_sweep_override() or value is None or (isinstance(value, str) and value.startswith("${")):
        return
    if isinstance(default, bool):
        fits, needed = isinstance(value, bool), "true or false"
    elif isinstance(default, int | float):
        fits, needed = isinstance(value, int | float) and not isinstance(value, bool), "a number"
    else:
        return
    if not fits:
        raise ValueError(f"{_place(origin)}{override.input_line} is not allowed; {key} is {needed}, as {default}")


def _written(single: Mapping[str, Any], line: CommandLine, config: "DictConfig") -> list[str]:
    """The values under `set` as overrides, without those that the command line names."""
    named = {_key(override) for override in line.overrides}
    written = []
    for key, value in _leaves(single, config):
        if key not in named:
            as_text = isinstance(value, str) and is_text(config, key)
            try:
                written.append(f"{key}={quoted(value) if as_text else literal(value, config)}")
            except ValueError as error:
                raise ValueError(f"{_place(SET)}{key}: {error}") from None
    return written


def _leaves(values: Mapping[str, Any], config: "DictConfig", prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and their values; a mapping that stands for a single value of the config stays whole."""
    from omegaconf import DictConfig

    for key, value in values.items():
        node = find(config, f"{prefix}{key}")
        is_section = node is None or (isinstance(node, DictConfig) and node._value() is not None)
        if isinstance(value, dict) and value and is_section:
            yield from _leaves(value, config, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _quoted(argument: str, config: "DictConfig", multirun: bool) -> str:
    """An override as it was typed, its value quoted where the key is a text setting."""
    key, equals, value = argument.partition("=")
    name = key.removeprefix("++")
    if not equals or not is_text(config, name) or (value == "null" and may_be_null(config, name)):
        return argument
    if not multirun or name in WORDS:
        return f"{key}={quoted(value)}"
    if re.match(r"(choice|shuffle|sort|range|interval|glob|tag)\(", value):
        return argument
    nullable = may_be_null(config, name)
    values = [_unquoted(found[1]) for found in ONE_OF_SEVERAL.finditer(value) if found[0]] or [""]
    return f"{key}=" + ",".join("null" if one == "null" and nullable else quoted(one) for one in values)


def _unquoted(value: str) -> str:
    """A value of a sweep: the text in its quotes, or the text with `\\,` for a comma."""
    if value[:1] in ("'", '"') and value[-1:] == value[:1] and len(value) > 1:
        return re.sub(rf"\\({value[0]}|\\)", r"\1", value[1:-1])
    return value.replace("\\,", ",").rstrip()


def _parse(arguments: Sequence[str], origin: str) -> list["Override"]:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    parser = OverridesParser.create()
    parsed = []
    for argument in arguments:
        try:
            parsed.append(parser.parse_override(argument))
        except HydraException as error:
            key, equals, value = argument.partition("=")
            fix = f"quote a text: {shlex.quote(f'{key}={quoted(value)}')}" if equals else "write key=value"
            raise ValueError(f"{_place(origin)}{argument!r} cannot be read ({reason(error)}); {fix}") from None
    return parsed


def _place(origin: str) -> str:
    return f"{origin}: " if origin else ""


def _key(override: str) -> str:
    return override.partition("=")[0].lstrip("+~")


def _groups_of_experiment(name: str, config_dir: Path | None) -> set[str]:
    """The groups that experiment/<name>.yaml chooses itself (`- override /model: small` in its defaults).

    Those of an experiment that it builds on (`- books`) count as well.
    """
    folders = (conf_folder(), *([config_dir] if config_dir else []))
    file = next((f for folder in folders if (f := folder / "experiment" / f"{name}.yaml").is_file()), None)
    if not name or file is None:
        return set()
    defaults = (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("defaults", [])
    bases = [line for line in defaults if isinstance(line, str) and line != "_self_"]
    own = [key for line in defaults if isinstance(line, dict) for key in line]
    chosen = {key.removeprefix("override").strip().lstrip("/") for key in own}
    return chosen.union(*(_groups_of_experiment(base, config_dir) for base in bases))


def _values(config: "DictConfig") -> Iterator[tuple[str, Any]]:
    from omegaconf import OmegaConf

    values = OmegaConf.to_container(config, resolve=False)
    assert isinstance(values, dict)
    return _flat({str(key): value for key, value in values.items()})


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
