"""GPT-2 as OpenAI published it (Radford et al. 2019): a TensorFlow checkpoint with an hparams.json."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from foundling.artifacts import read_json
from foundling.model.config import GPTConfig
from foundling.model.gpt import GPT
from foundling.validation import build
from foundling.weights.architectures import FREE, GPT2
from foundling.weights.names import Entry, Table, load_tensors
from foundling.weights.tensor_bundle import Stored, read_index, read_tensor

HPARAMS = "hparams.json"
FIELDS = {
    "vocab_size": "n_vocab",
    "context": "n_ctx",
    "n_embd": "n_embd",
    "n_head": "n_head",
    "n_layer": "n_layer",
}
BLOCK = {"attention_norm": "ln_1", "attention.qkv": "attn/c_attn", "attention.out": "attn/c_proj"}
BLOCK |= {"mlp_norm": "ln_2", "mlp.up": "mlp/c_fc", "mlp.out": "mlp/c_proj"}


def _layer(ours: str, theirs: str) -> Table:
    weight, bias = ("g", "b") if "ln_" in theirs else ("w", "b")
    return (
        Entry(f"{ours}.weight", (f"model/{theirs}/{weight}",), transposed=True),
        Entry(f"{ours}.bias", (f"model/{theirs}/{bias}",)),
    )


TABLE: Table = (
    Entry("token_embedding.weight", ("model/wte",)),
    Entry("position_embedding.weight", ("model/wpe",)),
    *_layer("norm", "ln_f"),
    *(
        entry
        for ours, theirs in BLOCK.items()
        for entry in _layer(f"blocks.{{i}}.{ours}", f"h{{i}}/{theirs}")
    ),
)


def is_checkpoint(folder: Path) -> bool:
    """Whether a folder holds a checkpoint in OpenAI's format."""
    return (folder / HPARAMS).is_file()


def read_config(folder: Path, free: Mapping[str, Any]) -> GPTConfig:
    """The model's shape from hparams.json, and `free`: chosen values of fields of FREE."""
    hparams = read_json(folder / HPARAMS)
    if missing := [name for name in FIELDS.values() if not isinstance(hparams.get(name), int)]:
        raise ValueError(f"{folder / HPARAMS} lacks {', '.join(missing)}; fetch it again")
    values = {ours: hparams[theirs] for ours, theirs in FIELDS.items()}
    values |= GPT2.fixed | dict.fromkeys(("n_kv_head", "head_dim", "n_ffn"))
    values |= {"rope_theta": 10_000.0, "norm_eps": 1e-5, "tied": True, **FREE, **free}
    try:
        return build(GPTConfig, values, "model")
    except ValueError as error:
        raise ValueError(f"{folder / HPARAMS}: {error}") from None


def load_model(folder: Path, config: GPTConfig, dtype: torch.dtype = torch.float32) -> GPT:
    """Load the checkpoint; each tensor's checksum is verified."""
    indices = sorted(folder.glob("*.index"))
    if len(indices) != 1:
        raise ValueError(
            f"{folder} has {len(indices)} checkpoints (*.index); must have one: fetch it with "
            f"weights=openai_124m"
        )
    stored = read_index(indices[0])
    shapes = {name: _shape(tensor) for name, tensor in stored.items()}
    where = str(indices[0])
    return load_tensors(TABLE, config, shapes, lambda name: read_tensor(stored[name]), where, dtype)


def _shape(stored: Stored) -> tuple[int, ...]:
    """OpenAI stores linear layers as convolutions of width 1: (1, in, out)."""
    return stored.shape[1:] if len(stored.shape) == 3 else stored.shape
