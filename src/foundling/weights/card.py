"""A model's card in Markdown: what it is, what it was made of and how, what it reached, and what it is not for.

It follows from the model's folder alone, without a time or a place, so that equal models have equal cards.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

CARD = "README.md"
KINDS = {  # what a model is, the section that it was trained by, the command that uses it
    "assistant": ("An assistant that follows instructions", "instruct", "chat"),
    "classifier": ("A classifier of texts", "classify", 'predict text="…"'),
    "translator": ("A translator of sentences", "translator", 'translate text="…"'),
    "base": ("A language model", "pretrain", 'generate prompt="…"'),
}
SHOWN = (
    "init_from",
    "method",
    "train",
    "template",
    "max_steps",
    "epochs",
    "batch_size",
    "batch_tokens",
    "precision",
    "seed",
)
LIMITS = """\
It continues texts in the manner of those that it was trained on. What it says may be wrong, and what its training texts
leave out or get wrong, it does as well. It was measured on what is named above and on nothing else; measure it on texts
of your own before you rely on it, and let nobody's money, health or rights depend on it."""


def card(config: Mapping[str, Any], parameters: int, provenance: Mapping[str, Any]) -> str:
    """The card of a model with config.json `config`, so many parameters, and its provenance.json."""
    kind = kind_of(config, provenance)
    title, section, command = KINDS[kind]
    recipe = provenance.get("config", {})
    parts = [
        "---\nlibrary_name: foundling\ntags: [gpt, safetensors]\n---",
        f"# {title}, raised by Foundling",
        _what(config, parameters),
        f"```\nfoundling {command} model=THIS_FOLDER\nfoundling verify model=THIS_FOLDER\n```",
        _rows("What it reached", ("measure", "value"), _flat(provenance.get("metrics") or {})),
        _rows("What it was raised on", ("stage", "data", "sources"), _datasets(recipe, section)),
        _rows("How it was trained", ("setting", "value"), _training(recipe.get(section, {}))),
        _rows(
            "What it was made of",
            ("input", "sha256"),
            [*(provenance.get("parent") or {}).items(), *provenance.get("inputs", {}).items()],
        ),
        _rows("What made it", ("package", "version"), provenance.get("versions", {}).items()),
        f"## What it is not for\n\n{LIMITS}",
        _rows("Files", ("file", "sha256"), provenance.get("files", {}).items()),
        "The whole configuration stands in provenance.json. This card is generated; do not edit it.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def kind_of(config: Mapping[str, Any], provenance: Mapping[str, Any]) -> str:
    """assistant, classifier, translator or base."""
    if "n_encoder" in config:
        return "translator"
    if "labels" in config:
        return "classifier"
    return "assistant" if "chat.json" in provenance.get("files", {}) else "base"


def _what(config: Mapping[str, Any], parameters: int) -> str:
    shape = config.get("trunk", config)
    if "n_encoder" in shape:
        kind, layers = "An encoder–decoder", f"{shape['n_encoder']} + {shape['n_decoder']} layers"
    else:
        kind, layers = "A decoder-only", f"{shape['n_layer']} layers"
    text = (
        f"{kind} Transformer of {parameters:,} parameters: {layers} of width {shape['n_embd']}, "
        f"{shape['n_head']} heads, a context of {shape['context']:,} tokens, a vocabulary of {shape['vocab_size']:,}."
    )
    return text + (f" It tells apart: {', '.join(config['labels'])}." if "labels" in config else "")


def _datasets(recipe: Mapping[str, Any], section: str) -> list[tuple[str, str, str]]:
    """The corpus of the base, if there is one, and the dataset that it was tuned on."""
    found = [("pretrain", recipe.get("corpus"))] if section != "translator" else []
    if section != "pretrain":
        found.append((section, recipe.get(section, {}).get("dataset")))
    return [
        (stage, str(dataset.get("name")), ", ".join(str(source["name"]) for source in dataset.get("sources", [])))
        for stage, dataset in found
        if dataset
    ]


def _training(settings: Mapping[str, Any]) -> list[tuple[str, Any]]:
    rows = [(name, settings[name]) for name in SHOWN if settings.get(name) is not None]
    for part in ("optimizer", "schedule"):
        values = dict(settings.get(part) or {})
        name = str(values.pop("_target_", "")).rpartition(".")[2]
        if name:
            rows.append((part, f"{name} ({', '.join(f'{k}={v}' for k, v in values.items())})"))
    return rows


def _flat(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name, f"{value:.4f}" if isinstance(value, float) else f"{value:,}") for name, value in values.items()]


def _rows(title: str, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A section with a table, or nothing where there are no rows."""
    lines = ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"## {title}", "", f"| {' | '.join(head)} |", "|" + "---|" * len(head), *lines])
