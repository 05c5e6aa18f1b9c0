"""config.json of transformers to our GPTConfig and back, for the families that our GPT computes alike.

A field that changes the computation is supported, or raises ValueError by its name. One that transformers'
own code for the family never reads cannot change it, so it is let through, and a log line says so.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from foundling.artifacts import read_json
from foundling.model.config import GPTConfig
from foundling.validation import build
from foundling.weights import huggingface_code, lfm2_config
from foundling.weights.architectures import FOUNDLING, FREE, LFM2
from foundling.weights.huggingface_families import FAMILIES, IGNORED, QUANTIZED, READ, WHY_NOT, Family
from foundling.weights.rope_config import RopeReader, write_rope
from foundling.weights.window_config import SLIDING, read_window, unsupported_layers, write_window

log = logging.getLogger(__name__)
CONFIG = "config.json"
EMPTY = {field.name: None for field in fields(GPTConfig) if field.default is MISSING}


def read_config(folder: Path, free: Mapping[str, Any]) -> tuple[str, GPTConfig]:
    """The family's name and the model's shape, with `free`: chosen values of fields of FREE.

    ValueError names each field that our model does not support.
    """
    path = folder / CONFIG
    values = read_json(path)
    try:
        return _read(path, values, free)
    except (KeyError, TypeError, AttributeError, ArithmeticError) as error:  # a field of the wrong type
        raise ValueError(
            f"{path} is not a valid config of {', '.join(FAMILIES)} ({type(error).__name__}: {error}); use "
            "the config.json that belongs to the weights"
        ) from None


def _read(path: Path, values: dict[str, Any], free: Mapping[str, Any]) -> tuple[str, GPTConfig]:
    name = values.get("model_type")
    if name == FOUNDLING.name:
        return name, huggingface_code.read_config(path, values, IGNORED, free)
    if name not in FAMILIES:
        reason = f" ({WHY_NOT[name]})" if name in WHY_NOT else ""
        raise ValueError(f"{path}: model_type={name!r}{reason}: must be one of {', '.join(FAMILIES)}")
    family = FAMILIES[name]
    let_through = sorted(
        field for field in _unread(family, values) if values[field] not in (None, False, {}, [])
    )
    values = {**family.defaults, **values}
    if name == LFM2.name:
        values = lfm2_config.derive(values)
    rope = RopeReader(values)
    reasons = [*_unsupported(name, values), *rope.reasons]
    if rope.share != 1 and name != "phi3":
        reasons.append(f"partial_rotary_factor={rope.share} (must be 1)")
    if reasons:
        raise ValueError(f"{path} is not supported by Foundling's {name}: {'; '.join(reasons)}")
    if missing := [theirs for theirs in family.fields.values() if theirs not in values]:
        raise ValueError(
            f"{path} lacks {', '.join(missing)}; use the config.json that belongs to the weights"
        )
    if let_through:
        log.info(f"{path}: ignored, since {name} does not compute with them: {', '.join(let_through)}")
    shape = {**EMPTY, **family.fixed}
    shape |= {ours: values[theirs] for ours, theirs in family.fields.items()}
    shape |= {"rope_theta": rope.theta, "rope_scaling": rope.scaling, "rope_skip": _rope_skip(name, values)}
    if name == LFM2.name:
        shape["layers"] = lfm2_config.layers(values)
        shape["conv_kernel"] = shape["conv_kernel"] if "conv" in (shape["layers"] or ()) else 0
    shape |= read_window(name, values)
    if rope.share != 1:
        head_dim = shape["head_dim"] or shape["n_embd"] // shape["n_head"]
        shape["rotary_dim"] = int(head_dim * rope.share)
    try:
        return name, build(GPTConfig, {**shape, **FREE, **free}, "model")
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def write_config(name: str, config: GPTConfig, dtype: str) -> dict[str, Any]:
    """The contents of config.json for a model of family `name`."""
    family = FAMILIES[name]
    values = {theirs: getattr(config, ours) for ours, theirs in family.fields.items()}
    values |= {theirs: allowed[0] for theirs, allowed in family.allowed.items()}
    if name == "gpt2":
        values |= dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), config.dropout)
    else:
        values |= write_rope(config)
    if name == "llama":
        values["mlp_bias"] = config.bias
    values |= write_window(name, config)
    if name == LFM2.name:
        values |= lfm2_config.write(config)
    if name == "smollm3":  # a 0 stands for a layer without rotary positions
        skip = config.rope_skip
        values["no_rope_layers"] = [
            int(skip == 0 or layer % skip > 0) for layer in range(1, config.n_layer + 1)
        ]
    return {"model_type": name, "dtype": dtype, **values}


def _unread(family: Family, values: Mapping[str, Any]) -> Iterator[str]:
    """The fields that transformers' code for the family does not have."""
    known = {*family.fields.values(), *family.allowed, *IGNORED, *READ, *QUANTIZED}
    for field in values.keys() - known:
        if not field.startswith("_"):  # notes about a model, such as its origin
            yield field


def _unsupported(name: str, values: Mapping[str, Any]) -> Iterator[str]:
    """The fields that ask for another computation than ours."""
    for field, allowed in FAMILIES[name].allowed.items():
        if values.get(field, allowed[0]) not in allowed:
            yield f"{field}={values[field]!r} (must be {' or '.join(map(repr, allowed))})"
    for field in QUANTIZED:
        if values.get(field):
            yield f"{field}={str(values[field])[:80]} (use the checkpoint that is not quantized)"
    yield from unsupported_layers(values, "conv" if name == LFM2.name else SLIDING)
    if name == "llama" and bool(values.get("mlp_bias")) != values["attention_bias"]:
        yield f"mlp_bias={values.get('mlp_bias', False)} with attention_bias={values['attention_bias']}"
    if name == "smollm3" and _rope_skip(name, values) is None:
        yield f"no_rope_layers={values['no_rope_layers']} (must leave out every n-th layer)"


def _rope_skip(name: str, values: Mapping[str, Any]) -> int | None:
    """n if every n-th layer lacks rotary positions, 0 if all have them; None for another pattern."""
    if name != "smollm3":
        return 0
    layers, interval = values.get("no_rope_layers"), int(values.get("no_rope_layer_interval", 4))
    if layers is None:
        return interval
    if all(layers):
        return 0
    n = list(layers).index(0) + 1  # a 0 stands for a layer without them
    is_regular = all(bool(uses) == ((layer + 1) % n > 0) for layer, uses in enumerate(layers))
    return n if is_regular and len(layers) == values["num_hidden_layers"] else None
