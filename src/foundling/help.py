"""What --help prints: the commands, and the settings and choices of one."""

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from foundling.config import groups

if TYPE_CHECKING:
    from omegaconf import DictConfig


def overview(commands: Mapping[str, str]) -> str:
    """The usage, and a line for each command, given with its package: stages or commands."""
    lines = [f"  {name:<16} {_docstring(name, commands[name]).splitlines()[0]}" for name in commands]
    return "\n".join(
        [
            "foundling <command> [group=choice] [section.value=…] [-m for a sweep]",
            "",
            *lines,
            "",
            "`foundling <command> --help` shows its settings; `dvc repro` runs all stages that are out of "
            "date.",
        ]
    )


def describe(name: str, package: str, composed: "DictConfig | None") -> str:
    """A command's description, the groups with their choices, and the composed sections that it reads."""
    from omegaconf import OmegaConf

    if composed is None:
        raise ValueError("--help shows a single config; remove -m and Hydra's other flags")
    choices = [f"  {group}: {', '.join(names)}" for group, names in groups().items() if len(names) > 1]
    own = "tokenizer" if name in ("train_tokenizer", "tokenize") else name
    sections = [section for section in (own, "runtime") if section in composed]
    shown = OmegaConf.to_yaml(OmegaConf.masked_copy(composed, sections)) if sections else ""
    return "\n".join(
        [
            _docstring(name, package),
            "",
            "Groups (group=choice):",
            *choices,
            "",
            "Settings (section.value=…), as composed now:",
            shown,
        ]
    )


def _docstring(name: str, package: str) -> str:
    """A command's description, read without importing it (torch would take seconds)."""
    source = (Path(__file__).parent / package / f"{name}.py").read_text(encoding="utf-8")
    return ast.get_docstring(ast.parse(source)) or name
