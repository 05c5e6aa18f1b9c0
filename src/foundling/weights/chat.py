"""Chat models: model folders with a chat.json.

It holds the name of the template that the model was tuned with, the same template in Jinja (Hugging Face's
`chat_template`), the system message or null, and the token that ends a response.
"""

from pathlib import Path
from typing import Any

from foundling.artifacts import read_json
from foundling.text.prompts import TEMPLATES, Template, jinja
from foundling.text.tokenizer import END_OF_TEXT

CHAT = "chat.json"


def chat_files(template: str, system: str | None) -> dict[str, Any]:
    """The JSON files that a chat model's folder holds besides those of every model."""
    chat = {"template": template, "chat_template": jinja(TEMPLATES[template]), "system": system, "end": END_OF_TEXT}
    return {CHAT: chat}


def read_chat(path: Path) -> tuple[Template, str | None]:
    """The template and the system message of a chat model; ValueError without a valid chat.json."""
    if not (path / CHAT).is_file():
        raise ValueError(
            f"{path} has no {CHAT}, so it is not a chat model; run `dvc repro instruct`, or choose a chat model"
        )
    values = read_json(path / CHAT)
    template, system = str(values.get("template")), values.get("system")
    if template not in TEMPLATES or not isinstance(system, str | None):
        raise ValueError(
            f"{path / CHAT} must have a template ({', '.join(TEMPLATES)}) and a system message, a string or null; "
            "rebuild it with `dvc repro instruct`"
        )
    return TEMPLATES[template], system
