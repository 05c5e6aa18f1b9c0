"""Export of a GPT or a classifier as a folder that transformers loads by its Auto classes, without our code."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from foundling.artifacts import atomic_folder, write_json
from foundling.model.classifier import Classifier
from foundling.model.config import GPTConfig
from foundling.model.interface import LanguageModel
from foundling.text.prompts import Template, jinja
from foundling.text.tokenizer import Tokenizer
from foundling.weights.architectures import portable
from foundling.weights.folder import save_tensors
from foundling.weights.huggingface import HEAD, PREFIXES, TABLES, WEIGHTS
from foundling.weights.huggingface_config import CONFIG, write_config
from foundling.weights.huggingface_tokenizer import write_classifier_tokenizer, write_tokenizer
from foundling.weights.names import export_tensors

CLASSES = {"gpt2": "GPT2", "llama": "Llama", "qwen2": "Qwen2", "qwen3": "Qwen3"}
HEADS = {"gpt2": "LMHeadModel", "llama": "ForCausalLM", "qwen2": "ForCausalLM", "qwen3": "ForCausalLM"}
PRECISIONS = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
GENERATION = "generation_config.json"
SCORE = "score.weight"
MAX_LOGIT_ERROR = 1e-4  # by which the export may change a classifier's logits


def export(
    folder: Path, model: LanguageModel, tokenizer: Tokenizer, template: Template | None = None, precision: str = "f32"
) -> None:
    """Write a language model with its tokenizer and, for a chat model, its chat template."""
    architecture, config, state = portable(model)
    name = architecture.name
    end = dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), tokenizer.end_of_text)
    with atomic_folder(folder) as temporary:
        _write(temporary, name, CLASSES[name] + HEADS[name], config, state, end, precision)
        write_tokenizer(temporary, tokenizer, config.context, jinja(template) if template else None)
        write_json(temporary / GENERATION, {**end, "do_sample": True, "temperature": 0.8})


def export_classifier(folder: Path, model: Classifier, tokenizer: Tokenizer, precision: str = "f32") -> None:
    """Write a classifier for AutoModelForSequenceClassification, with the names of its labels."""
    architecture, config, state = portable(model.trunk)
    name = architecture.name
    padding = tokenizer.vocab_size
    if padding == config.vocab_size:
        rows = state["token_embedding.weight"]
        state["token_embedding.weight"] = torch.cat((rows, torch.zeros_like(rows[:1])))  # (V + 1, C)
        config = replace(config, vocab_size=padding + 1)
    config = replace(config, tied=True)  # a classifier has no language-modelling head
    state.pop("output.weight", None)
    _fold_bias(model, state)
    labels = dict(enumerate(model.config.labels))
    values: dict[str, Any] = dict.fromkeys(("bos_token_id", "eos_token_id"), tokenizer.end_of_text)
    values |= {"pad_token_id": padding, "problem_type": "single_label_classification"}
    values |= {"id2label": labels, "label2id": {label: number for number, label in labels.items()}}
    with atomic_folder(folder) as temporary:
        head = {SCORE: model.head.weight.detach()}
        _write(temporary, name, CLASSES[name] + "ForSequenceClassification", config, state, values, precision, head)
        write_classifier_tokenizer(temporary, tokenizer, config.context, model.config.keep)


def _write(
    folder: Path,
    name: str,
    kind: str,
    config: GPTConfig,
    state: dict[str, Tensor],
    values: dict[str, Any],
    precision: str,
    head: dict[str, Tensor] | None = None,
) -> None:
    """Write config.json and model.safetensors for the class `kind` of transformers."""
    dtype = PRECISIONS[precision]
    shape = write_config(name, config, str(dtype).removeprefix("torch."))
    write_json(folder / CONFIG, {"architectures": [kind], **shape, **values})
    tensors = {name: tensor.to(dtype) for name, tensor in (head or {}).items()}
    for short, tensor in export_tensors(TABLES[name], config, state):
        tensors[short if short == HEAD else PREFIXES[name] + short] = tensor.to(dtype)
    save_tensors(tensors, folder / WEIGHTS, {"format": "pt"})


def _fold_bias(model: Classifier, state: dict[str, Tensor]) -> None:
    """Move the head's bias b, which transformers does not have, into the final norm's: W (h + v) = W h + b if
    W v = b.

    A component of b that is equal for all labels changes no probability. RMSNorm has no bias to move b into,
    so there b must be negligible; otherwise ValueError.
    """
    weight, bias = model.head.weight.detach().double(), model.head.bias.detach().double()  # (K, C), (K,)
    moved = torch.zeros(weight.size(1), dtype=torch.float64)
    if "norm.bias" in state:
        moved = torch.linalg.pinv(weight) @ bias  # (C,)
        state["norm.bias"] = state["norm.bias"] + moved.float()
    remainder = bias - weight @ moved
    if (remainder - remainder.mean()).abs().max() > MAX_LOGIT_ERROR:
        raise ValueError(
            "the classifier's head has a bias, which transformers does not support; it can be moved into a final "
            "LayerNorm but not into an RMSNorm (llama, qwen3): train the classifier on a base such as model=gpt2_124m"
        )
