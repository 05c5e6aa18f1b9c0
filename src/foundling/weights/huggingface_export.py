"""A model as a folder that transformers loads by AutoModelForCausalLM and AutoTokenizer, without code of ours."""

from pathlib import Path

import torch
from safetensors.torch import save_file

from foundling.artifacts import atomic_folder, write_json
from foundling.model.gpt import GPT
from foundling.text.prompts import Template, jinja
from foundling.text.tokenizer import Tokenizer
from foundling.weights.architectures import portable
from foundling.weights.huggingface import HEAD, PREFIXES, TABLES, WEIGHTS
from foundling.weights.huggingface_config import CONFIG, write_config
from foundling.weights.huggingface_tokenizer import write_tokenizer
from foundling.weights.names import give

CLASSES = {"gpt2": "GPT2LMHeadModel", "llama": "LlamaForCausalLM", "qwen3": "Qwen3ForCausalLM"}
PRECISIONS = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
GENERATION = "generation_config.json"


def export(
    folder: Path, model: GPT, tokenizer: Tokenizer, template: Template | None = None, precision: str = "f32"
) -> None:
    """Write a folder that transformers' AutoModelForCausalLM and AutoTokenizer load."""
    architecture, config, state = portable(model)
    prefix, kind = PREFIXES[architecture.name], PRECISIONS[precision]
    values = write_config(architecture.name, config, tokenizer.end_of_text, str(kind).removeprefix("torch."))
    tensors = {
        name if name == HEAD else prefix + name: tensor.to(kind)
        for name, tensor in give(TABLES[architecture.name], config, state)
    }
    with atomic_folder(folder) as beside:
        write_json(beside / CONFIG, {"architectures": [CLASSES[architecture.name]], **values})
        save_file(tensors, beside / WEIGHTS, metadata={"format": "pt"})
        write_tokenizer(beside, tokenizer, config.context, jinja(template) if template else None)
        tokens = {f"{role}_token_id": tokenizer.end_of_text for role in ("bos", "eos", "pad")}
        write_json(beside / GENERATION, {**tokens, "do_sample": True, "temperature": 0.8})
