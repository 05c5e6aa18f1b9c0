"""Take a model to other programs: foundling export format=huggingface|gguf model=models/chat."""

from pathlib import Path

from omegaconf import DictConfig

from foundling.artifacts import read_json
from foundling.text.prompts import Template, template_of
from foundling.weights import folder, gguf, huggingface_export

FORMATS = {"huggingface": tuple(huggingface_export.PRECISIONS), "gguf": gguf.PRECISIONS}
CHAT = "chat.json"


def run(config: DictConfig, out: Path) -> None:
    """Write the model in `export.format` to `export.to`, and say where it is and how it is loaded."""
    ask = config.export
    if ask.format not in FORMATS:
        raise ValueError(f"export.format={ask.format!r} is unknown; choose one of {', '.join(FORMATS)}")
    if ask.precision not in FORMATS[ask.format]:
        allowed = ", ".join(FORMATS[ask.format])
        raise ValueError(
            f"export.precision={ask.precision!r} is unknown to format={ask.format}; choose one of {allowed}"
        )
    source = Path(ask.model)
    goal = out / (ask.to or f"exports/{source.name}-{ask.format}")
    model, tokenizer = folder.load(source)
    template = _template(source, ask.template)
    if ask.format == "gguf":
        gguf.export(goal, model, tokenizer, template, ask.precision, source.name)
        use = f"llama-cli -m {goal}/*.gguf, or ollama create {source.name} -f {goal}/Modelfile"
    else:
        huggingface_export.export(goal, model, tokenizer, template, ask.precision)
        use = f'transformers.AutoModelForCausalLM.from_pretrained("{goal}")'
    size = sum(file.stat().st_size for file in goal.iterdir())
    print(f"{source} -> {goal} ({size / 1e6:.1f} MB, {ask.precision})\nload it with {use}")


def _template(source: Path, name: str) -> Template | None:
    """The chat template asked for; `auto` is the one that the model's chat.json names, if it has one."""
    if name == "auto":
        name = read_json(source / CHAT)["template"] if (source / CHAT).is_file() else "none"
    return None if name == "none" else template_of(name)
