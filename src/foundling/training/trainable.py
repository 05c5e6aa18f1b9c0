"""What of a classifier is trained: its head alone, the last blocks too, everything, or low-rank differences."""

from collections.abc import Mapping
from typing import Any

from foundling.model import lora
from foundling.model.classifier import Classifier

CHOICES = ("head", "last", "all", "lora")


def choose_trainable(network: Classifier, train: str, last: int, settings: Mapping[str, Any], seed: int) -> int:
    """Freeze what is not to be trained, in place; returns how many numbers are. The label head always is.

    head: nothing else. last: the last `last` blocks and the final norm too. all: the whole trunk. lora: differences of
    low rank to the trunk's linear layers, by `settings` (rank, alpha, dropout, targets).
    """
    trunk = network.trunk
    if train not in CHOICES:
        raise ValueError(f"classify.train={train!r} is unknown; choose one of {', '.join(CHOICES)}")
    if train == "last" and not 1 <= last <= len(trunk.blocks):
        raise ValueError(
            f"classify.last={last} is not allowed; the base has {len(trunk.blocks)} blocks, so choose 1 to "
            f"{len(trunk.blocks)}"
        )
    trunk.requires_grad_(train == "all")
    if train == "last":
        for module in (*trunk.blocks[-last:], trunk.norm):
            module.requires_grad_(True)
    if train == "lora":
        lora.wrap(trunk, seed=seed, **settings)
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
