"""Choose which weights of a classifier are trained: head, last blocks, all, or LoRA."""

from typing import Literal

from foundling.model import lora
from foundling.model.classifier import Classifier
from foundling.settings.training import Lora


def choose_trainable(
    network: Classifier, train: Literal["head", "last", "all", "lora"], last: int, settings: Lora, seed: int
) -> int:
    """Freeze the weights that are not trained, in place; returns the number of trained parameters.

    The classification head is always trained. head: nothing else. last: also the last `last` blocks and the
    final norm. all: also the whole trunk. lora: also low-rank differences to the trunk's linear layers, by
    `settings`.
    """
    trunk = network.trunk
    if train == "last" and last > len(trunk.blocks):
        raise ValueError(f"classify.last={last}: must be at most {len(trunk.blocks)}, the number of the base's blocks")
    trunk.requires_grad_(train == "all")
    if train == "last":
        for module in (*trunk.blocks[-last:], trunk.norm):
            module.requires_grad_(True)
    if train == "lora":
        lora.wrap(trunk, settings, seed)
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
