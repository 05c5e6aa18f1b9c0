"""The road of a config: conf/ and the selection in params.yaml become one composed config, for DVC, hand and sweep.

Imports neither torch nor lightning; Hydra only where something is composed.
"""

import difflib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from foundling.plain import read_yaml

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override
    from omegaconf import DictConfig

CONF = "conf"
SELECTION = "params.yaml"
COMPOSED = "composed.yaml"
# how a run is carried out and what is done with its results, not what comes out of it
UNHASHED = (
    *("runtime", "fetch", "hardware"),
    *("generate", "predict", "chat", "translate", "seeds", "export", "plan", "verify", "rebuild", "clean"),
)


def conf_folder() -> Path:
    """The project's conf/ as an absolute path; ValueError outside of a project."""
    folder = Path(CONF).absolute()
    if not (folder / "config.yaml").is_file():
        raise ValueError(f"no {CONF}/config.yaml in {Path.cwd()}; run foundling in the root of a Foundling project")
    return folder


def groups() -> dict[str, list[str]]:
    """Every config group with its choices, as the files lie in conf/."""
    folder = conf_folder()
    found: dict[str, list[str]] = {}
    for file in sorted(folder.rglob("*.yaml")):
        group = file.parent.relative_to(folder).as_posix()
        if group != "." and not group.startswith("hydra/"):
            found.setdefault(group, []).append(file.stem)
    return found


def selected(arguments: list[str], path: Path = Path(SELECTION)) -> list[str]:
    """The selection as Hydra overrides, without what weighs more: the command line's keys, and the experiment's groups.

    A line of the selection names a group's choice (none where it is null), `set` holds single values. An experiment is
    a set of choices of its own, so it replaces the selection's lines for the groups that it names; `set` comes on top.
    """
    values = read_yaml(path) if path.is_file() else {}
    if not isinstance(values, dict):
        raise ValueError(f"{path} holds {type(values).__name__}; it must be lines of `group: choice`, and `set: {{…}}`")
    for group, choice in values.items():
        if not isinstance(choice, str | int | float | None) and group != "set":
            raise ValueError(f"{path}: {group} holds {str(choice)[:60]}; allowed is a choice of conf/{group}; mend it")
    single = values.pop("set", None) or {}
    if not isinstance(single, dict):
        raise ValueError(
            f"{path}: `set` holds {single!r}; it must be nested values, as set: {{pretrain: {{max_steps: 9}}}}"
        )
    named = {_key(argument) for argument in arguments if _is_override(argument)}
    experiments = [a.partition("=")[2] for a in arguments if _is_override(a) and _key(a) == "experiment"]
    experiments = experiments or [str(values.get("experiment") or "")]
    taken = named.union(*(_groups_of_experiment(name) for e in experiments for name in e.split(",")))
    lines = [(group, choice) for group, choice in values.items() if group not in taken and choice is not None]
    lines += [(key, value) for key, value in _flat(single) if key not in named]
    return [f"{key}={_literal(value)}" for key, value in lines]


def with_selection(arguments: list[str]) -> list[str]:
    """Put the selection in front of the command line's first override (behind flags such as -m, as argparse wants)."""
    chosen = selected(arguments)
    # Hydra cannot take a choice back; without the line, conf/config.yaml's own null holds
    arguments = [argument for argument in arguments if argument != "experiment=null"]
    first = next((i for i, argument in enumerate(arguments) if _is_override(argument)), len(arguments))
    return arguments[:first] + chosen + arguments[first:]


def addressed(command: str, arguments: list[str]) -> list[str]:
    """Let a command's own settings be named without their section: `prompt=It's, …` becomes generate.prompt, quoted."""
    file = conf_folder() / command / "default.yaml"
    own = yaml.safe_load(file.read_text(encoding="utf-8"))
    done = []
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if equals and key in own:
            is_text = isinstance(own[key], str) and not own[key].startswith("${")
            done.append(f"{command}.{key}={_literal(value) if is_text else value}")
        else:
            done.append(argument)
    return done


def compose(overrides: list[str]) -> "DictConfig":
    """Compose conf/ with overrides; whatever does not fit is a ValueError of one line."""
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(conf_folder()), version_base="1.3"):
            return hydra_compose("config", overrides)
    except (HydraException, OmegaConfBaseException, yaml.YAMLError) as error:
        reason = " ".join(str(error).split()) if isinstance(error, yaml.YAMLError) else str(error).splitlines()[0]
        raise ValueError(f"the config cannot be composed: {reason}") from error


def check(arguments: list[str]) -> None:
    """Refuse overrides that name no group, choice or value, and name the near ones instead; sweeps choice by choice."""
    overrides = _parse([argument for argument in arguments if _is_override(argument)])
    known = groups()
    chosen = []
    for override in overrides:
        key = override.key_or_group
        if key in known:
            for choice in _choices(override):
                if choice not in known[key] and choice != "null":
                    raise ValueError(f"{key}={choice} is no choice of {CONF}/{key}; {near(choice, known[key])}")
            chosen.append(f"{override.get_key_element()}={next(_choices(override))}")
    config = compose(chosen)
    for override in overrides:
        key = override.key_or_group
        if key in known or override.is_add() or override.is_force_add() or key.split(".")[0] == "hydra":
            continue
        default = _find(config, key)
        if default is None:
            names = [k for k, _ in _flat_config(config)] + list(known)
            raise ValueError(f"{key} is no value of the config and no group of {CONF}/; {near(key, names)}")
        _refuse_other_kind(override, default._value())


def recipe(config: "DictConfig") -> dict[str, Any]:
    """What a result depends on, resolved: the composed config without the sections that only say how to run."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        values = {
            str(name): OmegaConf.to_container(section, resolve=True) if OmegaConf.is_config(section) else section
            for name, section in config.items()
            if name not in UNHASHED
        }
    except OmegaConfBaseException as error:
        raise ValueError(f"the config cannot be resolved: {str(error).splitlines()[0]}") from error
    return values


def section(config: "DictConfig", name: str) -> dict[str, Any]:
    """One section of the composed config as plain values."""
    from omegaconf import OmegaConf

    values = OmegaConf.to_container(config[name], resolve=True)
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items()}


def _is_override(argument: str) -> bool:
    return "=" in argument and not argument.startswith("-") or argument.startswith("~")


def _key(argument: str) -> str:
    return argument.partition("=")[0].lstrip("+~")


def _parse(arguments: list[str]) -> list["Override"]:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    parser = OverridesParser.create()
    parsed = []
    for argument in arguments:
        try:
            parsed.append(parser.parse_override(argument))
        except HydraException as error:
            reason = str(error).splitlines()[0]
            raise ValueError(
                f"{argument!r} cannot be read ({reason}); write key=value, quote what has spaces"
            ) from None
    return parsed


def _choices(override: "Override") -> Iterator[str]:
    from hydra.core.override_parser.types import Transformer

    if override.is_sweep_override():
        yield from map(str, override.sweep_iterator(transformer=Transformer.str))
    else:
        value = override.value()
        yield "null" if value is None else str(value)


def _refuse_other_kind(override: "Override", default: Any) -> None:
    """A switch stays a switch and a number a number, or null; else the mistake would surface hours later.

    A sweep's values are checked as its jobs come, one by one.
    """
    given = override.value()
    if override.is_sweep_override() or given is None or (isinstance(given, str) and given.startswith("${")):
        return
    if isinstance(default, bool):
        fits, needed = isinstance(given, bool), "true or false"
    elif isinstance(default, int | float):
        fits, needed = isinstance(given, int | float) and not isinstance(given, bool), "a number"
    else:
        return
    if not fits:
        raise ValueError(f"{override.input_line} is not allowed; {override.key_or_group} is {needed}, as {default}")


def _groups_of_experiment(name: str) -> set[str]:
    """The groups that conf/experiment/<name>.yaml chooses itself (`- override /model: small` in its defaults).

    Those of an experiment that it builds on (`- books`) count as well.
    """
    file = conf_folder() / "experiment" / f"{name}.yaml"
    if not name or not file.is_file():
        return set()
    defaults = (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("defaults", [])
    below = [_groups_of_experiment(line) for line in defaults if isinstance(line, str) and line != "_self_"]
    own = {
        key.removeprefix("override").strip().lstrip("/") for line in defaults if isinstance(line, dict) for key in line
    }
    return own.union(*below)


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _flat_config(config: "DictConfig") -> Iterator[tuple[str, Any]]:
    from omegaconf import OmegaConf

    values = OmegaConf.to_container(config, resolve=False)
    assert isinstance(values, dict)
    return _flat({str(key): value for key, value in values.items()})


def _find(config: Any, key: str) -> Any:
    """The node that a dotted key names (its value may be null or unresolved), or None where there is none."""
    from omegaconf import DictConfig, ListConfig

    for part in key.split("."):
        if isinstance(config, DictConfig) and part in config.keys():  # noqa: SIM118 - `in` overlooks null values
            config = config._get_node(part)
        elif isinstance(config, ListConfig) and part.isdigit() and int(part) < len(config):
            config = config._get_node(int(part))
        else:
            return None
    return config


def _literal(value: Any) -> str:
    """A YAML value in Hydra's override grammar, strings quoted so that commas and braces stay what they are."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{_literal(k)}:{_literal(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_literal, value)) + "]"
    if isinstance(value, str):
        return "'" + value.replace("\\'", "\\\\'").replace("'", "\\'") + "'" if not value.isidentifier() else value
    if value is not None and not isinstance(value, bool | int | float):
        raise ValueError(
            f"found {str(value)[:60]!r} of type {type(value).__name__}; allowed are texts and numbers; quote it"
        )
    return json.dumps(value)


def near(word: str, names: list[str]) -> str:
    """The names that resemble a word: by spelling, or by ending alike (lr -> pretrain.optimizer.lr)."""
    near = [name for name in names if name.split(".")[-1] == word.split(".")[-1]]
    near += difflib.get_close_matches(word, names, n=3, cutoff=0.5)
    near = list(dict.fromkeys(near))[:4]
    return f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(sorted(names)[:12])}"
