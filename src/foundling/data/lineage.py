"""Whether an input was made with the settings that this run asks for."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from foundling.artifacts import read_json

SHAPED_BY = ("corpus", "tokenizer", "model", "pretrain")  # the sections that make a base model what it is


def require(made_with: Mapping[str, Any], config: Mapping[str, Any], what: str, mend: str) -> None:
    """Compare the sections that an input was made with to the composed ones; the first difference raises ValueError."""
    for name, section in made_with.items():
        for key, made, asked in _differences(section, config.get(name), name):
            raise ValueError(f"{what} was made with {key}={made!r}, and this run asks for {key}={asked!r}; {mend}")


def require_base(base: Path, config: Mapping[str, Any]) -> None:
    """Refuse a base model that was made with other settings than this run asks for."""
    record = base / "provenance.json"
    made_with = read_json(record).get("config")
    if not isinstance(made_with, dict) or not all(isinstance(made_with.get(name), dict) for name in SHAPED_BY):
        raise ValueError(
            f"{record} does not hold the sections {', '.join(SHAPED_BY)} that made {base}; take it back with "
            "`dvc checkout`, or make it again with `dvc repro --force pretrain`"
        )
    shaped_by = {name: made_with[name] for name in SHAPED_BY}
    require(shaped_by, config, str(base), "run `dvc repro pretrain` first, or drop that setting")


def _differences(made: Any, asked: Any, key: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(made, Mapping) and isinstance(asked, Mapping):
        for name in dict.fromkeys((*made, *asked)):
            yield from _differences(made.get(name), asked.get(name), f"{key}.{name}")
    elif isinstance(made, list) and isinstance(asked, list) and len(made) == len(asked):
        for number, pair in enumerate(zip(made, asked, strict=True)):
            yield from _differences(*pair, f"{key}.{number}")
    elif made != asked:
        yield key, made, asked
