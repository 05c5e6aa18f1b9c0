"""Separate a command line into Hydra's flags and overrides with full keys."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import yaml

from foundling.config import conf_folder
from foundling.literals import quoted
from foundling.selection import key_of

# the setting that a word without = stands for, and what it is
POSITIONAL = {
    "import_model": ("source", "PATH_OR_ID"),
    "compare": ("runs", "RUN…"),
    "report": ("runs", "RUN…"),
    "sweep": ("folder", "FOLDER"),
}
LISTS = ("compare", "report")  # commands that take several words


@dataclass(frozen=True)
class CommandLine:
    """A command line, parsed by Hydra's own parser."""

    flags: list[str]
    overrides: list[str]  # with full keys
    multirun: bool
    config_dir: Path | None
    runs: bool  # whether the command runs, instead of showing a config (--cfg) or Hydra's help
    foreign: bool  # whether the primary config is not ours, so that its keys are not checked


def parse_arguments(command: str | None, arguments: Sequence[str]) -> CommandLine:
    """Separate flags from overrides, as Hydra does, and complete the keys of the command's own settings."""
    for argument in arguments:
        if any("\ud800" <= character <= "\udfff" for character in argument):
            raise ValueError(f"the argument {argument!a} is not valid UTF-8; check the terminal's encoding")
    options = _Parser.of_hydra().parse_intermixed_args(list(arguments))
    flags = list(arguments)
    for override in reversed(options.overrides):
        del flags[len(flags) - 1 - flags[::-1].index(override)]
    config_dir = Path(options.config_dir) if options.config_dir else None
    if config_dir is not None and not config_dir.is_dir():
        raise ValueError(f"--config-dir: no folder {config_dir}")
    overrides = [_added(override) for override in options.overrides]
    return CommandLine(
        flags=flags,
        overrides=with_section(command, overrides) if command else overrides,
        multirun=options.multirun or _is_sweep(overrides),
        config_dir=config_dir,
        runs=not (options.cfg or options.info or options.hydra_help or options.shell_completion),
        foreign=bool(options.config_name or options.config_path or options.experimental_rerun),
    )


def _added(override: str) -> str:
    """`sweep=…` as Hydra needs it: the group has no choice by default, so that one is added to the config."""
    return f"+{override}" if override.startswith("sweep=") else override


def _is_sweep(overrides: Sequence[str]) -> bool:
    """Whether the overrides ask for a sweep without -m: by a choice of conf/sweep, or by `hydra.mode`."""
    modes = [override.partition("=")[2] for override in overrides if key_of(override) == "hydra.mode"]
    return modes[-1] == "MULTIRUN" if modes else any(key_of(one) == "sweep" for one in overrides)


def with_section(command: str, arguments: Sequence[str]) -> list[str]:
    """Add the section to the command's own settings: `prompt=…` becomes `generate.prompt=…`."""
    own = own_settings(command)
    named, words = [], []
    for argument in arguments:
        key, equals, _ = argument.partition("=")
        if not equals and command in POSITIONAL and not key.startswith("~"):
            words.append(argument)
        else:
            named.append(f"{command}.{argument}" if equals and key in own else argument)
    if words:
        value = f"[{','.join(map(quoted, words))}]" if command in LISTS else words[-1]
        named.append(f"{command}.{POSITIONAL[command][0]}={value}")
    return named


def own_settings(command: str) -> dict[str, Any]:
    """A command's section in conf/commands.yaml."""
    sections = yaml.safe_load((conf_folder() / "commands.yaml").read_text(encoding="utf-8"))
    own: dict[str, Any] = sections[command]
    return own


class _Parser(argparse.ArgumentParser):
    """Hydra's parser of flags, whose errors are one line."""

    @classmethod
    def of_hydra(cls) -> argparse.ArgumentParser:
        from hydra._internal.utils import get_args_parser

        parser = get_args_parser()
        parser.__class__ = cls
        return parser

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message}; `foundling --hydra-help` lists the flags")
