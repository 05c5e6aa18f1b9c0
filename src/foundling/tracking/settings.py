"""Which W&B run a stage logs to, from the config, W&B's environment variables and W&B's settings files.

A value of the config other than null (for the mode: other than auto) wins, then the environment, then
wandb/settings in the project, then the user's own settings file. Imports neither wandb nor torch, so a
mistake is reported at once.
"""

import configparser
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from foundling.settings.runtime import Logger

PROJECT = "foundling"
# a setting of runtime.logger: its environment variable, its name in W&B's settings files
SOURCES = {
    "mode": ("WANDB_MODE", "mode"),
    "project": ("WANDB_PROJECT", "project"),
    "entity": ("WANDB_ENTITY", "entity"),
    "group": ("WANDB_RUN_GROUP", "run_group"),
    "name": ("WANDB_NAME", "run_name"),
    "tags": ("WANDB_TAGS", "run_tags"),
}
# W&B's words for the mode, and what they mean
MODES = {
    "online": "online",
    "run": "online",
    "offline": "offline",
    "dryrun": "offline",
    "disabled": "disabled",
}
YES = ("1", "true", "yes", "on")
RESERVED = "/\\#?%:"  # characters that W&B does not accept in the name of a project
LONGEST, LONGEST_TAG = 128, 64  # characters
# where DVC copies the project to for `dvc exp run --queue`, and deletes it
DVC_COPIES = (".dvc", "tmp", "exps")


@dataclass(frozen=True)
class WandbSettings:
    """The settings of one run; mode is auto, online, offline or disabled."""

    mode: str
    project: str
    entity: str | None
    group: str | None
    name: str | None
    tags: tuple[str, ...]
    host: str | None  # the server's URL; None: W&B's own
    folder: Path  # W&B writes wandb/ in it


def resolve(logger: Logger) -> WandbSettings:
    """Resolve `runtime.logger`; a mode or a name that W&B does not accept raises ValueError."""
    folder = Path(os.environ.get("WANDB_DIR") or _project(Path.cwd())).expanduser()
    files = _settings_files(folder)
    return WandbSettings(
        mode=_mode(logger.wandb, files),
        project=_name("project", logger.project, files) or PROJECT,
        entity=_name("entity", logger.entity, files),
        group=_name("group", logger.group, files),
        name=_name("name", logger.name, files),
        tags=_tags(logger.tags, files),
        host=os.environ.get("WANDB_BASE_URL") or files.get("base_url"),
        folder=folder,
    )


def _project(folder: Path) -> Path:
    """The project's folder; for an experiment in DVC's queue, not the temporary copy that it runs in."""
    for parent in folder.parents:
        if parent.parts[-len(DVC_COPIES) :] == DVC_COPIES:
            return parent.parents[len(DVC_COPIES) - 1]
    return Path()


def _mode(setting: Literal["auto", "online", "offline", False], files: Mapping[str, str]) -> str:
    if setting is False:
        return "disabled"
    if setting != "auto":
        return setting
    if os.environ.get("WANDB_DISABLED", "").lower() in YES:
        return "disabled"
    mode, place = _first("mode", None, files)
    if mode is None:
        return "auto"
    if mode not in MODES:
        raise ValueError(f"{place}={mode!r}: must be one of {', '.join(MODES)}")
    return MODES[mode]


def _name(setting: str, configured: str | None, files: Mapping[str, str]) -> str | None:
    value, place = _first(setting, configured, files)
    if value is None:
        return None
    _require_length(value, LONGEST, place)
    reserved = [character for character in RESERVED if character in value]
    if reserved and setting in ("project", "entity"):
        hint = "name the team in runtime.logger.entity or WANDB_ENTITY" if "/" in value else "choose another"
        raise ValueError(
            f"{place}={value!r} contains {' '.join(reserved)}, which W&B does not accept; {hint}"
        )
    return value


def _tags(configured: tuple[str | int, ...], files: Mapping[str, str]) -> tuple[str, ...]:
    value, place = _first("tags", ",".join(map(str, configured)), files)
    if value is None:
        return ()
    tags = tuple(tag.strip() for tag in value.split(","))
    for tag in tags:
        _require_length(tag, LONGEST_TAG, place)
    return tags


def _first(setting: str, configured: str | None, files: Mapping[str, str]) -> tuple[str | None, str]:
    """The first value that is set, and where: in the config, the environment, W&B's settings files."""
    variable, key = SOURCES[setting]
    places = {
        f"runtime.logger.{setting}": configured,
        variable: os.environ.get(variable),
        f"W&B's settings file: {key}": files.get(key),
    }
    for place, value in places.items():
        if value:
            return value, place
    return None, ""


def _require_length(name: str, longest: int, place: str) -> None:
    if not 1 <= len(name) <= longest or not name.isprintable():
        found = f"{place}={name[:60]!r}: {len(name)} characters"
        raise ValueError(f"{found}; W&B accepts 1 to {longest} printable characters")


def _settings_files(folder: Path) -> dict[str, str]:
    """The settings that `wandb disabled`, `wandb init`, … wrote; the project's override the user's."""
    user = Path(os.environ.get("WANDB_CONFIG_DIR") or "~/.config/wandb").expanduser()
    project = folder / (".wandb" if (folder / ".wandb").exists() else "wandb")
    settings: dict[str, str] = {}
    for file in (user / "settings", project / "settings"):
        parser = configparser.ConfigParser()
        try:
            parser.read(file, encoding="utf-8")
            settings.update(parser.items("default") if parser.has_section("default") else ())
        except (OSError, UnicodeDecodeError, configparser.Error):
            continue  # W&B reports the problem itself, and ignores the file
    return settings
