"""Export a GPT or a classifier as a folder that transformers loads by its Auto classes."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from foundling.artifacts import atomic_folder, write_json
from foundling.model.classifier import Classifier
from foundling.model.config import GPTConfig
from foundling.model.interface import LanguageModel
from foundling.text.prompts import ChatTemplate
from foundling.text.text_template import surrounding
from foundling.text.tokenizer import Tokenizer
from foundling.weights import huggingface_code
from foundling.weights.architectures import FOUNDLING, LFM2, Architecture, known_or_with_code, with_code
from foundling.weights.card import write_exported_card
from foundling.weights.folder import save_tensors
from foundling.weights.huggingface import HEAD, PREFIXES, TABLES, WEIGHTS
from foundling.weights.huggingface_config import CONFIG, write_config
from foundling.weights.huggingface_tokenizer import write_classifier_tokenizer, write_tokenizer
from foundling.weights.names import export_tensors

CLASSES = {
    **{"gpt2": "GPT2", "llama": "Llama", "qwen2": "Qwen2", "qwen3": "Qwen3", "smollm3": "SmolLM3"},
    **{"mistral": "Mistral", "olmo2": "Olmo2", "lfm2": "Lfm2"},
}
PRECISIONS = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
GENERATION = "generation_config.json"
SCORE = "score.weight"
MAX_LOGIT_ERROR = 1e-4  # by which the export may change a classifier's logits


@dataclass(frozen=True)
class _Export:
    """What is written of a model: its config and tensors, and more fields of config.json."""

    architecture: Architecture
    auto_class: str  # of transformers
    config: GPTConfig
    state: dict[str, Tensor]  # under our names
    values: dict[str, Any]
    head: dict[str, Tensor]  # of a classifier, under their names


def export(
    folder: Path,
    model: LanguageModel,
    tokenizer: Tokenizer,
    template: ChatTemplate | None = None,
    precision: str = "f32",
    provenance: Mapping[str, Any] | None = None,
) -> Architecture:
    """Write a language model with its tokenizer, for a chat model its chat template, and its card.

    Returns the architecture that it was exported as: one that transformers knows, or FOUNDLING.
    """
    architecture, config, state = known_or_with_code(model)
    end = dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), tokenizer.end_of_text)
    if template is not None:
        end["eos_token_id"] = template.end(tokenizer)
    exported = _Export(architecture, "AutoModelForCausalLM", config, state, end, {})
    with atomic_folder(folder) as temporary:
        _write(temporary, exported, precision)
        write_tokenizer(temporary, tokenizer, config.context, template.jinja(tokenizer) if template else None)
        sampling = {"do_sample": True, "temperature": 0.8, "max_length": config.context}
        write_json(temporary / GENERATION, {**end, "eos_token_id": _ends(tokenizer, end), **sampling})
        _write_card(temporary, exported, asdict(model.config), model.parameter_count(), provenance or {})
    return architecture


def _ends(tokenizer: Tokenizer, end: Mapping[str, int]) -> int | list[int]:
    """What ends a generated text: the token of config.json, or a list that it begins, if there are more."""
    first = end["eos_token_id"]
    others = sorted(tokenizer.ends - {first})
    return [first, *others] if others else first


def export_classifier(
    folder: Path,
    model: Classifier,
    tokenizer: Tokenizer,
    precision: str = "f32",
    provenance: Mapping[str, Any] | None = None,
) -> Architecture:
    """Write a classifier for AutoModelForSequenceClassification, with its labels' names and its card."""
    exported = _known_classifier(model, tokenizer) or _classifier_with_code(model, tokenizer)
    new_padding, config = exported.architecture is not FOUNDLING, exported.config
    with atomic_folder(folder) as temporary:
        _write(temporary, exported, precision)
        keep, ids = model.config.keep, surrounding(tokenizer, model.config.template)
        write_classifier_tokenizer(temporary, tokenizer, config.context, keep, new_padding, ids)
        _write_card(temporary, exported, asdict(model.config), model.parameter_count(), provenance or {})
    return exported.architecture


def _known_classifier(model: Classifier, tokenizer: Tokenizer) -> _Export | None:
    """The classifier as a class of transformers; None if there is none that computes the same."""
    architecture, config, state = known_or_with_code(model.trunk)
    # transformers has no Lfm2ForSequenceClassification, and its classes read the last position
    if architecture in (FOUNDLING, LFM2) or model.config.pooling != "last":
        return None
    padding = tokenizer.vocab_size
    if padding == config.vocab_size:
        rows = state["token_embedding.weight"]
        state["token_embedding.weight"] = torch.cat((rows, torch.zeros_like(rows[:1])))  # (V + 1, C)
        config = replace(config, vocab_size=padding + 1)
    config = replace(config, tied=True)  # a classifier has no language-modelling head
    state.pop("output.weight", None)
    if not _fold_bias(model, state):
        return None
    values = _labels(model, tokenizer) | {"pad_token_id": padding}
    head = {SCORE: model.head.weight.detach()}
    return _Export(architecture, "AutoModelForSequenceClassification", config, state, values, head)


def _classifier_with_code(model: Classifier, tokenizer: Tokenizer) -> _Export:
    """The classifier as FOUNDLING, whose head has a bias, and which knows padding by the attention mask."""
    _, config, state = with_code(model.trunk)
    state.pop("output.weight", None)
    values = _labels(model, tokenizer) | {
        "pad_token_id": tokenizer.end_of_text,
        "keep": model.config.keep,
        "pooling": model.config.pooling,
    }
    head = {SCORE: model.head.weight.detach(), "score.bias": model.head.bias.detach()}
    return _Export(FOUNDLING, "AutoModelForSequenceClassification", config, state, values, head)


def _labels(model: Classifier, tokenizer: Tokenizer) -> dict[str, Any]:
    labels = dict(enumerate(model.config.labels))
    values: dict[str, Any] = dict.fromkeys(("bos_token_id", "eos_token_id"), tokenizer.end_of_text)
    values |= {"id2label": labels, "label2id": {label: number for number, label in labels.items()}}
    return values | {"problem_type": "single_label_classification"}


def _write(folder: Path, exported: _Export, precision: str) -> None:
    """Write config.json, model.safetensors and, for FOUNDLING, the files that compute it."""
    name, config, dtype = exported.architecture.name, exported.config, PRECISIONS[precision]
    dtype_name = str(dtype).removeprefix("torch.")
    if exported.architecture is FOUNDLING:
        shape = huggingface_code.write_config(config, exported.auto_class, dtype_name)
        huggingface_code.write_code(folder, huggingface_code.FILES)
    else:
        kind = exported.auto_class.removeprefix("AutoModel")
        kind = "LMHeadModel" if name == "gpt2" and kind == "ForCausalLM" else kind
        shape = {"architectures": [CLASSES[name] + kind], **write_config(name, config, dtype_name)}
    write_json(folder / CONFIG, {**shape, **exported.values})
    tensors = {name: tensor.to(dtype) for name, tensor in exported.head.items()}
    for short, tensor in export_tensors(TABLES[name], config, exported.state):
        tensors[short if short == HEAD else PREFIXES[name] + short] = tensor.to(dtype)
    save_tensors(tensors, folder / WEIGHTS, {"format": "pt"})


def _write_card(
    folder: Path, exported: _Export, config: dict[str, Any], parameters: int, provenance: Mapping[str, Any]
) -> None:
    code = huggingface_code.FILES if exported.architecture is FOUNDLING else ()
    write_exported_card(folder, exported.auto_class, code, config, parameters, provenance)


def _fold_bias(model: Classifier, state: dict[str, Tensor]) -> bool:
    """Move the head's bias b, which transformers does not have, into the final norm's: W (h + v) = W h + b if
    W v = b. Returns whether that changes no logit.

    A component of b that is equal for all labels changes no probability. RMSNorm has no bias to move b into,
    so there b must be negligible.
    """
    weight, bias = model.head.weight.detach().double(), model.head.bias.detach().double()  # (K, C), (K,)
    moved = torch.zeros(weight.size(1), dtype=torch.float64)
    if "norm.bias" in state:
        moved = torch.linalg.pinv(weight) @ bias  # (C,)
        state["norm.bias"] = state["norm.bias"] + moved.float()
    remainder = bias - weight @ moved
    return bool((remainder - remainder.mean()).abs().max() <= MAX_LOGIT_ERROR)
