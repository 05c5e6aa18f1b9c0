"""Write a model folder in the format of another program, and say how that loads it."""

from pathlib import Path

import torch

from foundling.model.classifier import Classifier
from foundling.model.config import ClassifierConfig, TranslatorConfig
from foundling.model.translator import Translator
from foundling.settings import Settings
from foundling.settings.commands import Export
from foundling.settings.generation import BeamSearch
from foundling.text.chat_template import find_template
from foundling.text.prompts import ChatTemplate
from foundling.text.tokenizer import Tokenizer
from foundling.weights import folder, gguf, huggingface_export
from foundling.weights.architectures import FOUNDLING, Architecture
from foundling.weights.card import folder_kind
from foundling.weights.chat import CHAT, read_chat
from foundling.weights.huggingface_translator import export_translator
from foundling.weights.provenance import read_provenance


def write(source: Path, target: Path, settings: Settings, dtype: torch.dtype) -> str:
    """Export the model in `source` to the folder `target`; returns the call or command that loads it."""
    kind = folder_kind(source)
    if kind == "classifier":
        return _classifier(source, target, settings.export, dtype)
    if kind == "translator":
        return _translator(source, target, settings.export, settings.translate, dtype)
    return _language_model(source, target, settings.export, dtype)


def _language_model(source: Path, target: Path, settings: Export, dtype: torch.dtype) -> str:
    precision = settings.precision
    model, tokenizer = folder.load(source, dtype)
    template = _template(source, settings.template, tokenizer)
    if settings.format == "gguf":
        gguf.export(target, model, tokenizer, template, precision, source.name)
        llama = f"llama-cli -m {target}/{source.name}-{precision}.gguf"
        return f"{llama}, or ollama create {source.name} -f {target}/Modelfile"
    provenance = read_provenance(source)
    architecture = huggingface_export.export(target, model, tokenizer, template, precision, provenance)
    arguments = f'"{target}"{_trust(architecture)}'
    return f"transformers.AutoModelForCausalLM.from_pretrained({arguments}), and AutoTokenizer likewise"


def _classifier(source: Path, target: Path, settings: Export, dtype: torch.dtype) -> str:
    if settings.format == "gguf":
        raise ValueError(
            f"{source} is a classifier, which GGUF does not support; use export.format=huggingface"
        )
    model, tokenizer = folder.load_as(source, Classifier, ClassifierConfig, dtype)
    provenance = read_provenance(source)
    architecture = huggingface_export.export_classifier(
        target, model, tokenizer, settings.precision, provenance
    )
    return f'transformers.pipeline("text-classification", "{target}", truncation=True{_trust(architecture)})'


def _translator(source: Path, target: Path, settings: Export, search: BeamSearch, dtype: torch.dtype) -> str:
    if settings.format == "gguf":
        raise ValueError(
            f"{source} is a translator, which llama.cpp cannot run; use export.format=huggingface"
        )
    model, tokenizer = folder.load_as(source, Translator, TranslatorConfig, dtype)
    export_translator(target, model, tokenizer, search, settings.precision, read_provenance(source))
    return (
        f'transformers.AutoModelForSeq2SeqLM.from_pretrained("{target}", trust_remote_code=True), and '
        "AutoTokenizer likewise"
    )


def _trust(architecture: Architecture) -> str:
    """The argument that transformers needs for an architecture that it does not know."""
    return ", trust_remote_code=True" if architecture is FOUNDLING else ""


def _template(source: Path, name: str, tokenizer: Tokenizer) -> ChatTemplate | None:
    """The chat template `name`; "auto" is that of the model's tuning, with its system prompt, if any."""
    if name == "none":
        return None
    if name != "auto":
        return find_template(name, tokenizer)
    if not (source / CHAT).is_file() and tokenizer.chat_template is None:
        return None
    template, system = read_chat(source, tokenizer)
    return template.with_system(system) if system else template
