"""A chat model is a model's folder with chat.json beside it: the template that it was tuned with, and its system text.

chat.json holds the template's name, the same template in Jinja (as Hugging Face's `chat_template` and GGUF want it),
the system text or null, and the token that ends an answer.
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
    """Write the model with its chat.json, whole or not at all."""
    settings = {
        "template": template,
        "chat_template": jinja(template_of(template)),
        "system": system,
        "end": END_OF_TEXT,
    }
    folder.save(path, model, tokenizer, provenance, {CHAT: settings})


def read_chat(path: Path) -> tuple[Template, str | None]:
    """The template and the system text of a chat model; a model that was not tuned to answer raises ValueError."""
    if not (path / CHAT).is_file():
        raise ValueError(
            f"{path} has no {CHAT}: it was not tuned to answer; run `dvc repro instruct`, or name a model that was"
        )
    settings = read_json(path / CHAT)
    if str(settings.get("template")) not in TEMPLATES:
        raise ValueError(f"{path / CHAT} names no template of {', '.join(TEMPLATES)}; make it again with `dvc repro`")
    if not isinstance(settings.get("system"), str | None):
        raise ValueError(f"{path / CHAT} has a system text that is no text; make it again with `dvc repro`")
    return TEMPLATES[settings["template"]], settings.get("system")
