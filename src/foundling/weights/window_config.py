"""Windows of attention in a config.json of transformers: which layers see only the last tokens."""

from collections.abc import Iterator, Mapping
from typing import Any

from foundling.model.config import GPTConfig

FULL, SLIDING = "full_attention", "sliding_attention"
IN_ALL_LAYERS = ("mistral", "phi3")  # families whose layers all have the window
CHOSEN = ("qwen2", "qwen3", "smollm3")  # families with use_sliding_window and layer_types
MAX_WINDOW_LAYERS = 28  # transformers' default
MOST_LAYERS = 10_000  # that are listed by their numbers


def unsupported_layers(values: Mapping[str, Any], other: str) -> Iterator[str]:
    """The reasons why layer_types, of full attention and one other kind, asks for another computation."""
    types = values.get("layer_types")
    if others := {*map(str, types or ())} - {FULL, other}:
        yield f"layer_types={sorted(others)} (must be {FULL} or {other})"
    elif types and len(types) != values.get("num_hidden_layers"):
        yield f"layer_types of {len(types)} layers (must be num_hidden_layers)"


def read_window(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields `window` and `window_blocks`; a window of the whole context is none."""
    window, context = values.get("sliding_window"), values.get("max_position_embeddings")
    if not isinstance(window, int) or not isinstance(context, int) or not 0 < window < context:
        return {}
    if name in IN_ALL_LAYERS:
        return {"window": window}
    if name not in CHOSEN or not values.get("use_sliding_window"):
        return {}
    blocks = _blocks(name, values)
    if not blocks:
        return {}
    return {"window": window, "window_blocks": None if len(blocks) == values["num_hidden_layers"] else blocks}


def _blocks(name: str, values: Mapping[str, Any]) -> list[int]:
    """The numbers of the layers with the window."""
    count = values["num_hidden_layers"]
    if count > MOST_LAYERS:
        raise TypeError(f"num_hidden_layers={str(count)[:20]}: must be at most {MOST_LAYERS:,}")
    if types := values.get("layer_types"):
        return [layer for layer, kind in enumerate(types) if kind == SLIDING]
    if name == "smollm3":  # those without positions
        interval = int(values.get("no_rope_layer_interval", 4))
        rotated = values.get("no_rope_layers") or [(layer + 1) % interval for layer in range(count)]
        return [layer for layer, uses in enumerate(rotated) if not uses]
    first = values.get("max_window_layers")
    return list(range(MAX_WINDOW_LAYERS if first is None else int(first), count))


def write_window(name: str, config: GPTConfig) -> dict[str, Any]:
    """The fields of config.json."""
    if name == "mistral":
        return {"sliding_window": config.window or None}
    if name not in CHOSEN:
        return {}
    if not config.window:
        return {"use_sliding_window": False}
    blocks = range(config.n_layer) if config.window_blocks is None else config.window_blocks
    types = [SLIDING if layer in blocks else FULL for layer in range(config.n_layer)]
    return {
        "use_sliding_window": True,
        "sliding_window": config.window,
        "max_window_layers": types.index(SLIDING) if SLIDING in types else config.n_layer,
        "layer_types": types,
    }
