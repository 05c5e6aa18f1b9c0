"""The tokenizer in a folder of published weights, as transformers finds it there."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from foundling.artifacts import read_json
from foundling.text.library_tokenizer import LibraryTokenizer, read_json_text, read_template

TOKENIZER: Final = "tokenizer.json"
SETTINGS: Final = "tokenizer_config.json"
TEMPLATE: Final = "chat_template.jinja"
ROLES: Final = ("bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token")


def read_published(folder: Path) -> LibraryTokenizer:
    """The tokenizer of a folder with a tokenizer.json.

    The tokens with a role and the chat template are those of tokenizer_config.json, special_tokens_map.json and
    chat_template.jinja; ids that config.json and generation_config.json name are second to them. A folder whose
    tokenizer cannot be read raises ValueError.
    """
    path = folder / TOKENIZER
    if not path.is_file():
        raise ValueError(f"{folder} has no {TOKENIZER}; fetch it with the weights, or choose tokenizer=bpe")
    text = read_json_text(path)
    settings, roles = _optional(folder / SETTINGS), _optional(folder / "special_tokens_map.json")
    names = {role: name for role in ROLES if (name := _name(settings.get(role)) or _name(roles.get(role)))}
    template = read_template(folder / TEMPLATE) or _template(settings.get("chat_template"))
    if "eos_token" not in names:
        names |= _names_by_id(folder, read_json(path))
    try:
        return LibraryTokenizer(text, names, template)
    except ValueError as error:
        raise ValueError(f"{path}: {error}; fetch it again, or choose another tokenizer") from None


def _optional(path: Path) -> Mapping[str, Any]:
    return read_json(path) if path.is_file() else {}


def _name(value: Any) -> str | None:
    """A token's name, which files write as a string or as an object with `content`."""
    if isinstance(value, Mapping):
        value = value.get("content")
    return value if isinstance(value, str) and value else None


def _template(value: Any) -> str | None:
    """The chat template; of several, the one called default."""
    if isinstance(value, list):
        named = {entry.get("name"): entry.get("template") for entry in value if isinstance(entry, Mapping)}
        value = named.get("default")
    return value if isinstance(value, str) else None


def _names_by_id(folder: Path, tokenizer: Mapping[str, Any]) -> dict[str, str]:
    """The tokens that the model's configs name by their ids alone."""
    added = {token.get("id"): token.get("content") for token in _objects(tokenizer.get("added_tokens"))}
    names = {}
    for file in ("config.json", "generation_config.json"):
        values = _optional(folder / file)
        for role in ROLES[:4]:
            number = values.get(f"{role}_id")
            number = number[0] if isinstance(number, list) and number else number
            if isinstance(number, int) and (name := _name(added.get(number))):
                names[role] = name
    return names


def _objects(values: Any) -> list[Mapping[str, Any]]:
    return [value for value in values if isinstance(value, Mapping)] if isinstance(values, list) else []
