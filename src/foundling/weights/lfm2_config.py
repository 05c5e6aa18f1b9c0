"""What LFM2's config.json says in its own way: the kinds of layers, and the feed-forward network's width.

Published files give a width of which two thirds, as a multiple of 256, are used.
"""

from collections.abc import Mapping
from typing import Any

from foundling.model.config import GPTConfig

FIELDS = {  # our field -> theirs
    **{"context": "max_position_embeddings", "n_embd": "hidden_size", "n_head": "num_attention_heads"},
    **{"n_layer": "num_hidden_layers", "n_ffn": "intermediate_size", "norm_eps": "norm_eps"},
    **{"n_kv_head": "num_key_value_heads", "head_dim": "head_dim", "conv_kernel": "conv_L_cache"},
}
DEFAULTS = {  # transformers' own
    **{"tie_word_embeddings": True, "num_key_value_heads": 8, "head_dim": None, "norm_eps": 1e-5},
    **{"rope_theta": 1_000_000.0, "conv_L_cache": 3, "block_auto_adjust_ff_dim": True},
    **{"block_multiple_of": 256, "block_ffn_dim_multiplier": 1.0},
}
READ = (
    *("block_ff_dim", "block_auto_adjust_ff_dim", "block_multiple_of", "block_ffn_dim_multiplier"),
    *("full_attn_idxs", "tie_embedding"),
)
KINDS = {"conv": "conv", "full_attention": "attention"}
MOST_LAYERS = 10_000


def derive(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with the field names of other families, and the feed-forward network's real width."""
    values = dict(values)
    for theirs, common in (("block_ff_dim", "intermediate_size"), ("tie_embedding", "tie_word_embeddings")):
        values[common] = values.get(theirs, values.get(common))
    if values["block_auto_adjust_ff_dim"]:
        width, multiple = int(2 * values["intermediate_size"] / 3), values["block_multiple_of"]
        if values["block_ffn_dim_multiplier"] is not None:
            width = int(values["block_ffn_dim_multiplier"] * width)
        values["intermediate_size"] = -(-width // multiple) * multiple
    return values


def layers(values: Mapping[str, Any]) -> list[str] | None:
    """The kind of each layer in our terms; None if all have attention."""
    count, attending = values["num_hidden_layers"], values.get("full_attn_idxs")
    if values.get("layer_types") is not None:
        return [KINDS[kind] for kind in values["layer_types"]]
    if attending is None:
        return None
    if count > MOST_LAYERS:
        raise TypeError(f"num_hidden_layers={count:,}")
    return ["attention" if layer in attending else "conv" for layer in range(count)]


def write(config: GPTConfig) -> dict[str, Any]:
    """The fields of config.json for the kinds of layers and the feed-forward network's width."""
    kinds = config.layers or ("attention",) * config.n_layer
    theirs = {ours: name for name, ours in KINDS.items()}
    return {
        "layer_types": [theirs[kind] for kind in kinds],
        "full_attn_idxs": [layer for layer, kind in enumerate(kinds) if kind == "attention"],
        "block_auto_adjust_ff_dim": False,
    }
