"""Chat models: a model folder with a chat.json, which holds the template that the model was tuned with.

chat.json holds the template's name, the same template in Jinja (for Hugging Face's `chat_template` and GGUF),
the system prompt or null, and the token that ends an answer.
"""

from pathlib import Path
from typing import Any

from foundling.artifacts import read_json
from foundling.model.gpt import GPT
from foundling.text.prompts import TEMPLATES, Template, jinja, template_of
from foundling.text.tokenizer import END_OF_TEXT, Tokenizer
from foundling.weights import folder

CHAT = "chat.json"


def save_chat(
    path: Path, model: GPT, tokenizer: Tokenizer, provenance: dict[str, Any], template: str, system: str | None
) -> None:
    """Write the model folder with its chat.json atomically."""
    settings = {
        "template": template,
        "chat_template": jinja(template_of(template)),
        "system": system,
        "end": END_OF_TEXT,
    }
    folder.save(path, model, tokenizer, provenance, {CHAT: settings})


def read_chat(path: Path) -> tuple[Template, str | None]:
    """The template and the system prompt of a chat model; ValueError for a model without a valid chat.json."""
    if not (path / CHAT).is_file():
        raise ValueError(
            f"{path} has no {CHAT}, so it is not a chat model; run `dvc repro instruct`, or choose a chat model"
        )
    settings = read_json(path / CHAT)
    if str(settings.get("template")) not in TEMPLATES:
        raise ValueError(f"{path / CHAT} has no template among {', '.join(TEMPLATES)}; rebuild it with `dvc repro`")
    if not isinstance(settings.get("system"), str | None):
        raise ValueError(f"{path / CHAT} has a system prompt that is not a string; rebuild it with `dvc repro`")
    return TEMPLATES[settings["template"]], settings.get("system")
