"""OpenAI's GPT-2 (Radford et al. 2019) as OpenAI published it: a TensorFlow checkpoint with hparams.json beside it."""

from pathlib import Path
from typing import Any

from foundling.artifacts import read_json
from foundling.model.gpt import GPT, GPTConfig
from foundling.weights.architectures import GPT2
from foundling.weights.names import Entry, Table, load
from foundling.weights.tensor_bundle import Stored, read_index, read_tensor

HPARAMS = "hparams.json"
FIELDS = {"vocab_size": "n_vocab", "context": "n_ctx", "n_embd": "n_embd", "n_head": "n_head", "n_layer": "n_layer"}
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
    *(entry for ours, theirs in BLOCK.items() for entry in _layer(f"blocks.{{i}}.{ours}", f"h{{i}}/{theirs}")),
)


def is_checkpoint(folder: Path) -> bool:
    """Whether a folder holds what OpenAI published."""
    return (folder / HPARAMS).is_file()


def read_config(folder: Path, own: dict[str, Any]) -> GPTConfig:
    """The model's shape from hparams.json; `own` holds what a checkpoint does not fix."""
    hparams = read_json(folder / HPARAMS)
    if lacking := [name for name in FIELDS.values() if not isinstance(hparams.get(name), int)]:
        raise ValueError(f"{folder / HPARAMS} lacks {', '.join(lacking)}; fetch it again")
    free: dict[str, Any] = dict.fromkeys(("n_kv_head", "head_dim", "n_ffn"))
    free |= {"rope_theta": 10_000.0, "norm_eps": 1e-5, "tied": True}
    try:
        return GPTConfig(**{ours: hparams[theirs] for ours, theirs in FIELDS.items()}, **GPT2.fixed, **free, **own)
    except ValueError as error:
        raise ValueError(f"{folder / HPARAMS}: {error}") from None


def load_model(folder: Path, config: GPTConfig) -> GPT:
    """Read the checkpoint; each tensor is compared to its checksum."""
    indices = sorted(folder.glob("*.index"))
    if len(indices) != 1:
        raise ValueError(
            f"{folder} holds {len(indices)} checkpoints (*.index); it must be one: fetch it with weights=openai_124m"
        )
    stored = read_index(indices[0])
    found = {name: _shape(one) for name, one in stored.items()}
    return load(TABLE, config, found, lambda name: read_tensor(stored[name]), str(indices[0]))


def _shape(stored: Stored) -> tuple[int, ...]:
    """Linear layers are convolutions of one position there: (1, in, out)."""
    return stored.shape[1:] if len(stored.shape) == 3 else stored.shape
