"""config.json of GPT-2, Llama and Qwen3 to our GPTConfig and back; unsupported fields raise ValueError."""

import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from foundling.artifacts import read_json
from foundling.model.config import GPTConfig
from foundling.validation import build
from foundling.weights.architectures import ARCHITECTURES

CONFIG = "config.json"
_GPT2 = {"context": "n_positions", "n_embd": "n_embd", "n_head": "n_head", "n_layer": "n_layer", "n_ffn": "n_inner"}
_GPT2 |= {"norm_eps": "layer_norm_epsilon"}
_LLAMA = {"context": "max_position_embeddings", "n_embd": "hidden_size", "n_head": "num_attention_heads"}
_LLAMA |= {"n_layer": "num_hidden_layers", "n_ffn": "intermediate_size", "norm_eps": "rms_norm_eps"}
_LLAMA |= {"n_kv_head": "num_key_value_heads", "head_dim": "head_dim", "rope_theta": "rope_theta"}
_LLAMA |= {"bias": "attention_bias"}
SHARED = {"vocab_size": "vocab_size", "tied": "tie_word_embeddings"}
# our field -> theirs
FIELDS = {"gpt2": SHARED | _GPT2, "llama": SHARED | _LLAMA, "qwen3": SHARED | _LLAMA}
# transformers' defaults, for fields that config.json omits
DEFAULTS: dict[str, dict[str, Any]] = {
    "gpt2": {"tie_word_embeddings": True, "n_inner": None, "layer_norm_epsilon": 1e-5},
    "llama": {"tie_word_embeddings": False, "num_key_value_heads": None, "head_dim": None, "attention_bias": False},
    "qwen3": {"tie_word_embeddings": False, "num_key_value_heads": None, "head_dim": 128, "attention_bias": False},
}
for _modern in ("llama", "qwen3"):
    DEFAULTS[_modern] |= {"rope_theta": 10_000.0, "rms_norm_eps": 1e-6}
# fields that change the computation, with the values that match ours; the first is written
ALLOWED: dict[str, dict[str, tuple[Any, ...]]] = {
    "gpt2": {
        "activation_function": ("gelu_new", "gelu_pytorch_tanh", "gelu_fast"),
        "scale_attn_weights": (True,),
        "scale_attn_by_inverse_layer_idx": (False,),
        "add_cross_attention": (False,),
    },
    "llama": {"hidden_act": ("silu", "swish"), "pretraining_tp": (1,)},
    "qwen3": {"hidden_act": ("silu", "swish"), "use_sliding_window": (False,)},
}
# fields that do not change the computation: names, training, generation, output formats
IGNORED = {
    *("architectures", "model_type", "transformers_version", "torch_dtype", "dtype", "auto_map"),
    *("bos_token_id", "eos_token_id", "pad_token_id", "unk_token_id", "sep_token_id", "tokenizer_class"),
    *("resid_pdrop", "embd_pdrop", "attn_pdrop", "attention_dropout", "initializer_range", "use_cache", "n_ctx"),
    *("summary_type", "summary_use_proj", "summary_activation", "summary_first_dropout", "summary_proj_to_labels"),
    *("task_specific_params", "id2label", "label2id", "problem_type", "return_dict", "reorder_and_upcast_attn"),
    *("chunk_size_feed_forward", "gradient_checkpointing", "max_window_layers", "output_past", "sliding_window"),
    *("predict_special_tokens", "architectures", "layer_types", "rope_parameters", "rope_scaling", "mlp_bias"),
}


def read_config(folder: Path, free: Mapping[str, Any]) -> tuple[str, GPTConfig]:
    """The architecture's name and the model's shape, with `free`: the fields that a checkpoint does not fix.

    ValueError names each field that our model does not support.
    """
    path = folder / CONFIG
    values = read_json(path)
    try:
        return _read(path, values, free)
    except (KeyError, TypeError, AttributeError) as error:  # a field of the wrong type
        raise ValueError(
            f"{path} is not a valid config of GPT-2, Llama or Qwen3 ({type(error).__name__}: {error}); use the "
            "config.json that belongs to the weights"
        ) from None


def _read(path: Path, values: dict[str, Any], free: Mapping[str, Any]) -> tuple[str, GPTConfig]:
    name = values.get("model_type")
    if name not in ARCHITECTURES:
        raise ValueError(f"{path}: model_type={name!r}: must be one of {', '.join(ARCHITECTURES)}")
    architecture, values = ARCHITECTURES[name], DEFAULTS[name] | values | _rope(values)
    if reasons := _unsupported(name, values):
        raise ValueError(f"{path} is not supported by Foundling's {name}: {'; '.join(reasons)}")
    if missing := [theirs for theirs in FIELDS[name].values() if theirs not in values]:
        raise ValueError(f"{path} lacks {', '.join(missing)}; use the config.json that belongs to the weights")
    shape = {f.name: None for f in fields(GPTConfig)} | {"rope_theta": 10_000.0} | architecture.fixed
    shape |= {ours: values[theirs] for ours, theirs in FIELDS[name].items()}
    try:
        return name, build(GPTConfig, {**shape, **free}, "model")
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def write_config(name: str, config: GPTConfig, dtype: str) -> dict[str, Any]:
    """The contents of config.json for a model of architecture `name`."""
    values = {theirs: getattr(config, ours) for ours, theirs in FIELDS[name].items()}
    values |= {theirs: allowed[0] for theirs, allowed in ALLOWED[name].items()}
    if name == "gpt2":
        values |= dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), config.dropout)
    else:
        # rope_theta is read by transformers 4, rope_parameters by transformers 5
        values |= {"rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta}}
    if name == "llama":
        values["mlp_bias"] = config.bias
    return {"model_type": name, "dtype": dtype, **values}


def _rope(values: dict[str, Any]) -> dict[str, Any]:
    """The base of rotary positions, if it is within rope_parameters (transformers 5)."""
    theta = (values.get("rope_parameters") or {}).get("rope_theta")
    return {"rope_theta": theta} if theta is not None else {}


def _unsupported(name: str, values: dict[str, Any]) -> list[str]:
    reasons = []
    for field, allowed in ALLOWED[name].items():
        if values.get(field, allowed[0]) not in allowed:
            reasons.append(f"{field}={values[field]!r} (must be {' or '.join(map(repr, allowed))})")
    for field in ("rope_parameters", "rope_scaling"):
        scaling = values.get(field) or {}
        kind = scaling.get("rope_type", scaling.get("type", "default"))
        if kind != "default" or scaling.get("partial_rotary_factor", 1) != 1:
            reasons.append(f"{field}={scaling} (must be plain rotary positions)")
    if set(values.get("layer_types") or ()) - {"full_attention"}:
        reasons.append(f"layer_types={sorted(set(values['layer_types']))} (must be full_attention)")
    if name == "llama" and values.get("mlp_bias", False) != values["attention_bias"]:
        reasons.append(f"mlp_bias={values.get('mlp_bias', False)} with attention_bias={values['attention_bias']}")
    if name == "qwen3" and values["attention_bias"]:
        reasons.append("attention_bias=True (must be False)")
    known = {*FIELDS[name].values(), *ALLOWED[name], *IGNORED}
    # transformers stores notes about a model, such as its origin, under names that start with one underscore
    notes = {field for field in values if re.fullmatch(r"_[^_].*[^_]", field)}
    unknown = sorted(field for field in values.keys() - known - notes if values[field])
    return reasons + [f"{field}={values[field]!r} (unknown field)" for field in unknown]
