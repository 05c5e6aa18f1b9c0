"""Read overrides by Hydra's grammar, and list the jobs of a sweep before it starts."""

import shlex
from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING

from foundling.config import reason
from foundling.literals import quoted

if TYPE_CHECKING:
    from hydra.core.config_loader import ConfigLoader
    from hydra.core.override_parser.types import Override


def parse(arguments: Sequence[str], loader: "ConfigLoader") -> list["Override"]:
    """Overrides as Hydra reads them; one that it cannot read raises ValueError."""
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


def first_jobs(overrides: Sequence[str], multirun: bool, loader: "ConfigLoader") -> list[list[str]]:
    """The overrides of the jobs to compose before a sweep starts: the first, and one for each other choice.

    The other values of a sweep are checked when their jobs start.
    """
    first: list[str] = []
    others: list[tuple[int, str]] = []  # with the index in `first` that each replaces
    for override in parse(overrides, loader):
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


def grid(swept: Sequence[str], loader: "ConfigLoader") -> list[tuple[str, ...]]:
    """The overrides of each job over these overrides with several values, in the order of Hydra's sweeper.

    Empty if one of them is an interval, which has no list of values.
    """
    parsed = parse(swept, loader)
    if any(override.is_interval_sweep() for override in parsed):
        return []
    values = [[f"{one.get_key_element()}={value}" for value in _sweep(one)] for one in parsed]
    return list(product(*values))


def _sweep(override: "Override") -> list[str]:
    """The values of a sweep; for an interval, only its start."""
    if override.is_interval_sweep():
        return [str(override.value().start)]  # type: ignore[union-attr]
    return list(override.sweep_string_iterator())
