"""Model cards in Markdown: what a model is, how it was trained and on what, its metrics and its limitations.

A card is derived from the model folder alone, without a time or a path, so equal models have equal cards.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from foundling.artifacts import read_json

CARD = "README.md"
KINDS = {  # title, config section, command
    "assistant": ("An assistant that follows instructions", "instruct", "chat"),
    "classifier": ("A text classifier", "classify", 'predict text="…"'),
    "translator": ("A sentence translator", "train_translator", 'translate text="…"'),
    "base": ("A language model", "pretrain", 'generate prompt="…"'),
}
# what makes a model an assistant: tuned here, or published
CHATS = ("chat.json", "tokenizer/chat_template.jinja")
TRAINING_SETTINGS = (
    *("init_from", "method", "train", "template", "max_steps", "epochs"),
    *("batch_size", "batch_tokens", "precision", "seed"),
)
PIPELINES = {
    "AutoModelForCausalLM": "text-generation",
    "AutoModelForSequenceClassification": "text-classification",
    "AutoModelForSeq2SeqLM": "translation",
}
USAGE = """\
from transformers import {auto_class}, AutoTokenizer{imported}

model = {auto_class}.from_pretrained("THIS_FOLDER"{trust})
tokenizer = AutoTokenizer.from_pretrained("THIS_FOLDER"{trust})
{use}"""
TRANSLATE = """\
batch = tokenizer(["A sentence"], padding=True, truncation=True, return_tensors="pt")
print(tokenizer.batch_decode(model.generate(**batch), skip_special_tokens=True))"""
CODE = """\
transformers does not know this architecture. With `trust_remote_code=True` it runs the Python files of this folder,
so read them first: {code}. transformers 5.24 or later is needed."""  # noqa: E501
LIMITS = """\
The model imitates the texts that it was trained on. Its output may be wrong, and it shares the gaps and errors of
its training data. It was evaluated only on the metrics above; evaluate it on texts of your own before you rely on
it, and do not use it for decisions about anyone's money, health or rights."""  # noqa: E501


def card(config: Mapping[str, Any], parameters: int, provenance: Mapping[str, Any]) -> str:
    """The card of a model, from its config.json, its number of parameters and its provenance.json."""
    _, _, command = KINDS[kind_of(config, provenance)]
    parts = [
        "---\nlibrary_name: foundling\ntags: [gpt, safetensors]\n---",
        *_introduction(config, parameters, provenance),
        f"```\nfoundling {command} model=THIS_FOLDER\nfoundling verify model=THIS_FOLDER\n```",
        *_record(config, provenance),
        _rows("Files", ("file", "sha256"), provenance.get("files", {}).items()),
        "The full configuration is in provenance.json. This card is generated; do not edit it.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def exported_card(
    config: Mapping[str, Any],
    parameters: int,
    provenance: Mapping[str, Any],
    auto_class: str,
    code: Sequence[str],
) -> str:
    """The card of an exported model.

    Args:
        config: config.json of the model that was exported.
        parameters: their number.
        provenance: its provenance.json; without one, the card does not say how it was trained.
        auto_class: the class of transformers that loads it.
        code: the files of the folder that transformers has to run, if it does not know the architecture.
    """
    pipeline = PIPELINES[auto_class]
    imported, use = ", pipeline", f'pipe = pipeline("{pipeline}", model=model, tokenizer=tokenizer)'
    if pipeline == "translation":  # transformers 5 has no pipeline for it
        imported, use = "", TRANSLATE
    trust = ", trust_remote_code=True" if code else ""
    usage = USAGE.format(auto_class=auto_class, imported=imported, trust=trust, use=use)
    parts = [
        f"---\nlibrary_name: transformers\npipeline_tag: {pipeline}\ntags: [gpt, foundling]\n---",
        *_introduction(config, parameters, provenance),
        CODE.format(code=", ".join(code)) if code else "",
        f"```python\n{usage}\n```",
        *_record(config, provenance),
        "This card is generated; do not edit it.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def write_exported_card(
    folder: Path,
    auto_class: str,
    code: Sequence[str],
    config: Mapping[str, Any],
    parameters: int,
    provenance: Mapping[str, Any],
) -> None:
    """Write the card of an exported model; ValueError if its provenance.json is malformed."""
    try:
        text = exported_card(config, parameters, provenance, auto_class, code)
    except (AttributeError, TypeError, KeyError, ValueError) as error:
        raise ValueError(
            f"the model's provenance.json is malformed ({error}); restore it with `dvc checkout`, or delete "
            f"it"
        ) from None
    (folder / CARD).write_text(text, encoding="utf-8", newline="\n")


def _introduction(config: Mapping[str, Any], parameters: int, provenance: Mapping[str, Any]) -> list[str]:
    title, _, _ = KINDS[kind_of(config, provenance)]
    how = "imported by" if provenance.get("imported") else "trained with"
    return [f"# {title}, {how} Foundling", _what(config, parameters)]


def _record(config: Mapping[str, Any], provenance: Mapping[str, Any]) -> list[str]:
    """The sections on evaluation, training and limitations."""
    _, section, _ = KINDS[kind_of(config, provenance)]
    recipe = provenance.get("config", {})
    inputs = {**(provenance.get("parent") or {}), **provenance.get("inputs", {})}
    imported = provenance.get("imported") or {}
    return [
        _rows("Evaluation", ("measure", "value"), _formatted(provenance.get("metrics") or {})),
        _rows("Training data", ("stage", "data", "sources"), _datasets(recipe, section)),
        _rows("Training", ("setting", "value"), [] if imported else _training(recipe.get(section, {}))),
        _rows("Published weights", ("file", "sha256"), imported.items()),
        _rows("Inputs", ("input", "sha256"), inputs.items()),
        _rows("Software", ("package", "version"), provenance.get("versions", {}).items()),
        f"## Limitations\n\n{LIMITS}",
    ]


def kind_of(config: Mapping[str, Any], provenance: Mapping[str, Any]) -> str:
    """assistant, classifier, translator or base."""
    if "n_encoder" in config:
        return "translator"
    if "labels" in config:
        return "classifier"
    return "assistant" if "chat.json" in provenance.get("files", {}) else "base"


def folder_kind(folder: Path) -> str:
    """The kind of a folder's model; with a chat template, tuned here or published, it is an assistant."""
    is_assistant = any((folder / name).is_file() for name in CHATS)
    return kind_of(read_json(folder / "config.json"), {"files": ["chat.json"] if is_assistant else []})


def _what(config: Mapping[str, Any], parameters: int) -> str:
    shape = config.get("trunk", config)
    if "architecture" in shape:
        text = f"A {shape['architecture']} model of {parameters:,} parameters: "
    else:
        kind, layers = "A decoder-only", f"{shape.get('n_layer')} layers"
        if "n_encoder" in shape:
            kind, layers = "An encoder–decoder", f"{shape['n_encoder']} + {shape['n_decoder']} layers"
        text = f"{kind} Transformer of {parameters:,} parameters: {layers} of width {shape['n_embd']}, "
        text += f"{shape['n_head']} heads, "
    text += f"a context of {shape['context']:,} tokens, a vocabulary of {shape['vocab_size']:,}."
    return text + (f" Its labels: {', '.join(config['labels'])}." if "labels" in config else "")


def _datasets(recipe: Mapping[str, Any], section: str) -> list[tuple[str, str, str]]:
    """(stage, name, sources) of the base's corpus and of the dataset for fine-tuning, where there are any."""
    # weights that others trained, as they came
    is_imported = recipe.get("pretrain", {}).get("max_steps") == 0
    datasets = [] if is_imported or section == "train_translator" else [("pretrain", recipe.get("corpus"))]
    if section != "pretrain":
        datasets.append((section, recipe.get(section, {}).get("dataset")))
    rows = []
    for stage, dataset in datasets:
        if dataset:
            sources = ", ".join(str(source["name"]) for source in dataset.get("sources", []))
            rows.append((stage, str(dataset.get("name")), sources))
    return rows


def _training(settings: Mapping[str, Any]) -> list[tuple[str, Any]]:
    rows = [(name, settings[name]) for name in TRAINING_SETTINGS if settings.get(name) is not None]
    for part in ("optimizer", "schedule"):
        values = dict(settings.get(part) or {})
        name = str(values.pop("_target_", "")).rpartition(".")[2]
        if name:
            rows.append((part, f"{name} ({', '.join(f'{k}={v}' for k, v in values.items())})"))
    return rows


def _formatted(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (name, f"{value:.4f}" if isinstance(value, float) else f"{value:,}") for name, value in values.items()
    ]


def _rows(title: str, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A section with a table, or an empty string without rows."""
    lines = []
    for row in rows:
        cells = [str(cell).replace("|", "\\|") for cell in row]
        lines.append(f"| {' | '.join(cells)} |")
    if not lines:
        return ""
    return "\n".join([f"## {title}", "", f"| {' | '.join(head)} |", "|" + "---|" * len(head), *lines])
