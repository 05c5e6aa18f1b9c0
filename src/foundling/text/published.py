"""The tokenizer in a folder of published weights, as transformers finds it there."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from foundling.artifacts import read_json
from foundling.text.library_tokenizer import LibraryTokenizer, read_template
from foundling.text.sentencepiece_model import read_sentencepiece
from foundling.text.tokenizer_json import with_prefix

TOKENIZER: Final = "tokenizer.json"
SENTENCEPIECE: Final = "tokenizer.model"
SETTINGS: Final = "tokenizer_config.json"
TEMPLATE: Final = "chat_template.jinja"
CONFIGS: Final = ("config.json", "generation_config.json")
ROLES: Final = ("bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token")


def read_published(folder: Path) -> LibraryTokenizer:
    """The tokenizer of a folder with a tokenizer.json or SentencePiece's tokenizer.model.

    tokenizer_config.json, special_tokens_map.json and chat_template.jinja give the tokens with a role and the
    chat template; config.json and generation_config.json give the tokens that end an answer, and the roles if
    the others name no end of text.
    ValueError if there is no tokenizer, or one that cannot be read.
    """
    settings = _optional(folder / SETTINGS)
    path, values, names = _read(folder, settings)
    roles = _optional(folder / "special_tokens_map.json")
    names |= {role: name for role in ROLES if (name := _name(settings.get(role)) or _name(roles.get(role)))}
    template = read_template(folder / TEMPLATE) or _template(settings.get("chat_template"))
    if "eos_token" not in names:
        names |= _names_by_id(folder, values)
    published = path.name == TOKENIZER
    text = path.read_text(encoding="utf-8") if published else json.dumps(values, ensure_ascii=False)
    try:
        return LibraryTokenizer(text, names, template, _ends(folder, values))
    except ValueError as error:
        raise ValueError(f"{path}: {error}; fetch it again, or choose another tokenizer") from None


def _read(folder: Path, settings: Mapping[str, Any]) -> tuple[Path, Mapping[str, Any], dict[str, str]]:
    """The file, its values as a tokenizer.json, and the tokens with a role that the file itself names."""
    path = folder / TOKENIZER
    if path.is_file():
        return path, read_json(path), {}
    path = folder / SENTENCEPIECE
    if not path.is_file():
        raise ValueError(
            f"{folder} has no {TOKENIZER} and no {SENTENCEPIECE}; fetch one, or choose tokenizer=bpe"
        )
    values, names = read_sentencepiece(path)
    bos = names.get("bos_token")
    if bos and settings.get("add_bos_token", True):
        ids = {token["content"]: token["id"] for token in values["added_tokens"]}
        values = with_prefix(values, bos, ids[bos])
    return path, values, names


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


def _ends(folder: Path, tokenizer: Mapping[str, Any]) -> list[str]:
    """The tokens that end an answer, of which the model's configs list several by id."""
    by_id = _added(tokenizer)
    ends = []
    for file in CONFIGS:
        listed = _optional(folder / file).get("eos_token_id")
        for number in listed if isinstance(listed, list) else [listed]:
            if isinstance(number, int) and (name := _name(by_id.get(number))):
                ends.append(name)
    return ends


def _names_by_id(folder: Path, tokenizer: Mapping[str, Any]) -> dict[str, str]:
    """The tokens that the model's configs name by their ids alone."""
    added = _added(tokenizer)
    names = {}
    for file in CONFIGS:
        values = _optional(folder / file)
        for role in ROLES[:4]:
            number = values.get(f"{role}_id")
            number = number[0] if isinstance(number, list) and number else number
            if isinstance(number, int) and (name := _name(added.get(number))):
                names[role] = name
    return names


def _added(tokenizer: Mapping[str, Any]) -> dict[Any, Any]:
    """The added tokens of a tokenizer.json, among them the special ones, by id."""
    return {token.get("id"): token.get("content") for token in _objects(tokenizer.get("added_tokens"))}


def _objects(values: Any) -> list[Mapping[str, Any]]:
    return [value for value in values if isinstance(value, Mapping)] if isinstance(values, list) else []
