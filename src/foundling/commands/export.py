"""Take a model to other programs: foundling export format=huggingface|gguf model=models/chat."""

from dataclasses import replace
from pathlib import Path

from omegaconf import DictConfig

from foundling.artifacts import read_json
from foundling.model.classifier import Classifier, ClassifierConfig
from foundling.text.prompts import Template, template_of
from foundling.weights import folder, gguf, huggingface_export
from foundling.weights.chat import CHAT, read_chat

MARKS = ("Modelfile", "tokenizer_config.json")  # of an earlier export
FORMATS = {"huggingface": tuple(huggingface_export.PRECISIONS), "gguf": gguf.PRECISIONS}


def run(config: DictConfig, out: Path) -> None:
    """Write the model in `export.format` to `export.to`, and say where it is and how it is loaded."""
    ask = config.export
    if ask.format not in FORMATS:
        raise ValueError(f"export.format={ask.format!r} is unknown; choose one of {', '.join(FORMATS)}")
    if ask.precision not in FORMATS[ask.format]:
        raise ValueError(
            f"export.precision={ask.precision!r} is unknown to export.format={ask.format}; choose one of "
            f"{', '.join(FORMATS[ask.format])}"
        )
    source = Path(ask.model).resolve() if Path(ask.model).name in ("", "..") else Path(ask.model)
    if not source.name.isprintable() or '"' in source.name:
        raise ValueError(f"{source.name!r} would be the name of the export; allowed are printable names; rename it")
    goal = out / (ask.to or f"exports/{source.name}-{ask.format}")
    if goal.exists() and not any((goal / mark).is_file() for mark in MARKS):
        raise ValueError(
            f"{goal} is there and is no export, and an export replaces all that is in its folder; set export.to to a "
            "folder of its own"
        )
    if "labels" in read_json(source / folder.CONFIG):
        use = _classifier(source, goal, ask.format, ask.precision)
    else:
        use = _language_model(source, goal, ask.format, ask.precision, _template(source, ask.template))
    size = sum(file.stat().st_size for file in goal.iterdir())
    print(f"{source} -> {goal} ({size / 1e6:.1f} MB, {ask.precision})\nuse it by {use}")


def _language_model(source: Path, goal: Path, form: str, precision: str, template: Template | None) -> str:
    model, tokenizer = folder.load(source)
    if form == "gguf":
        gguf.export(goal, model, tokenizer, template, precision, source.name)
        return f"llama-cli -m {goal}/{source.name}-{precision}.gguf, or ollama create {source.name} -f {goal}/Modelfile"
    huggingface_export.export(goal, model, tokenizer, template, precision)
    return f'transformers.AutoModelForCausalLM.from_pretrained("{goal}") and AutoTokenizer'


def _classifier(source: Path, goal: Path, form: str, precision: str) -> str:
    if form == "gguf":
        raise ValueError(f"{source} is a classifier, and GGUF is for language models; take export.format=huggingface")
    model, tokenizer = folder.load_as(source, Classifier, ClassifierConfig)
    huggingface_export.export_classifier(goal, model, tokenizer, precision)
    return f'transformers.pipeline("text-classification", "{goal}", truncation=True)'


def _template(source: Path, name: str) -> Template | None:
    """The chat template asked for; `auto` is the one that the model was tuned with, and its system text, if it was."""
    if name == "none" or (name == "auto" and not (source / CHAT).is_file()):
        return None
    if name != "auto":
        return template_of(name)
    template, system = read_chat(source)
    return replace(template, preamble=system) if system else template
