"""Check that an input was made with the settings of this run."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from foundling.artifacts import read_json
from foundling.settings import Recipe

SHAPED_BY = ("corpus", "tokenizer", "model", "pretrain")  # the sections that a base model depends on


def require(made_with: Mapping[str, JsonValue], recipe: Recipe, what: str, fix: str) -> None:
    """Compare the sections that an input was made with to this run's; a difference raises ValueError."""
    for name, section in made_with.items():
        for key, old, new in _differences(section, recipe.get(name), name):
            raise ValueError(f"{what} was made with {key}={old!r}, but this run has {key}={new!r}; {fix}")


def require_base(base: Path, recipe: Recipe, make: str = "dvc repro pretrain") -> None:
    """Raise ValueError if a base model was trained with other settings than this run's; `make` trains it."""
    record = base / "provenance.json"
    made_with = read_json(record).get("config")
    if not isinstance(made_with, dict) or not all(
        isinstance(made_with.get(name), dict) for name in SHAPED_BY
    ):
        raise ValueError(
            f"{record} does not have the sections {', '.join(SHAPED_BY)} that made {base}; restore it with "
            "`dvc checkout`, or make it again with `dvc repro --force pretrain`"
        )
    shaped_by = {name: made_with[name] for name in SHAPED_BY}
    require(shaped_by, recipe, str(base), f"run `{make}` first, or drop that setting")


def _differences(old: Any, new: Any, key: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in dict.fromkeys((*old, *new)):
            yield from _differences(old.get(name), new.get(name), f"{key}.{name}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, pair in enumerate(zip(old, new, strict=True)):
            yield from _differences(*pair, f"{key}.{number}")
    elif old != new:
        yield key, old, new
