"""Chat models: model folders with a chat.json, or whose tokenizer came with a chat template.

chat.json holds the name of the template that the model was tuned with, the same template in Jinja (Hugging
Face's `chat_template`), the system message or null, and the token that ends a response.
"""

from pathlib import Path
from typing import Any

from foundling.artifacts import read_json
from foundling.text.chat_template import MODEL, find_template
from foundling.text.prompts import TEMPLATES, ChatTemplate
from foundling.text.tokenizer import Tokenizer

CHAT = "chat.json"


def chat_files(template: str, system: str | None, tokenizer: Tokenizer) -> dict[str, Any]:
    """The JSON files that a chat model's folder holds besides those of every model."""
    found = find_template(template, tokenizer)
    end = tokenizer.special_name(found.end(tokenizer))
    return {
        CHAT: {"template": template, "chat_template": found.jinja(tokenizer), "system": system, "end": end}
    }


def read_chat(path: Path, tokenizer: Tokenizer) -> tuple[ChatTemplate, str | None]:
    """The template and the system message of a chat model.

    A folder without chat.json is a chat model if its tokenizer came with a chat template. ValueError if it is
    not a chat model, or if chat.json is invalid.
    """
    if not (path / CHAT).is_file():
        if tokenizer.chat_template is not None:
            return find_template(MODEL, tokenizer), None
        raise ValueError(
            f"{path} has no {CHAT}, so it is not a chat model; run `dvc repro instruct`, or choose a chat "
            f"model"
        )
    values = read_json(path / CHAT)
    template, system = str(values.get("template")), values.get("system")
    if template not in (*TEMPLATES, MODEL) or not isinstance(system, str | None):
        raise ValueError(
            f"{path / CHAT} must have a template ({', '.join(TEMPLATES)}, {MODEL}) and a system message, a "
            "string or null; rebuild it with `dvc repro instruct`"
        )
    return find_template(template, tokenizer), system
