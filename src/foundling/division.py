"""What each of several devices holds of a training's memory, with trainer=ddp, fsdp or tp.

Imports no torch; costs.py and memory.py have the formulas for one device.
"""

import dataclasses

from foundling import costs, memory
from foundling.model.config import GPTConfig
from foundling.settings.models import GPTSettings
from foundling.settings.runtime import FSDP, TENSOR_PARALLEL


@dataclasses.dataclass(frozen=True)
class Share:
    """One device's share of a training of `config` on `devices` devices."""

    config: GPTConfig
    strategy: str
    devices: int

    @property
    def batch_divisor(self) -> int:
        """The number of devices that divide the rows of a microbatch."""
        return 1 if self.strategy == TENSOR_PARALLEL else self.devices

    @property
    def part(self) -> GPTConfig:
        """The model of the heads and channels that a device computes."""
        if self.strategy != TENSOR_PARALLEL or self.devices == 1:
            return self.config
        config, count = self.config, self.devices
        return dataclasses.replace(
            config,
            head_dim=config.head_dim,
            n_head=config.n_head // count,
            n_kv_head=config.n_kv_head // count,
            n_ffn=config.n_ffn // count,
        )

    def state_bytes(self, optimizer: str, precision: str) -> dict[str, float]:
        """Bytes of weights, gradients and optimizer state, as `memory.state_bytes`.

        With trainer=fsdp also of what is gathered: two blocks' weights and one's gradients, and those of
        embeddings and output head.
        """
        state = memory.state_bytes(self.part, optimizer, precision)
        if self.strategy != FSDP or self.devices == 1:
            return state
        total = sum(costs.parameters(self.config).values())
        block = total - sum(
            costs.parameters(costs.first_layers(self.config, self.config.n_layer - 1)).values()
        )
        outside = total - self.config.n_layer * block
        gathered = costs.PRECISIONS[precision][0] * (3 * block + 2 * outside)
        return {name: size / self.devices for name, size in state.items()} | {"gathered": gathered}

    def activation_bytes(self, tokens: int, precision: str, every: int) -> float:
        """Bytes of the activations at the peak of a step over this device's `tokens` tokens.

        FSDP2 knows the forward pass as a whole, so there the loss is not computed in chunks.
        """
        return memory.activation_bytes(self.part, tokens, precision, every, self.strategy == FSDP)


def check_divisible(config: GPTSettings, count: int) -> None:
    """Raise ValueError for a GPT that cannot be divided among `count` processes."""
    sizes = {"n_head": config.n_head, "n_kv_head": config.n_kv_head, "n_ffn": config.n_ffn}
    for name, size in sizes.items():
        if size % count:
            raise ValueError(
                f"model.{name}={size} is not divisible by the {count} devices that trainer=tp divides it "
                "among; use fewer devices, or trainer=fsdp"
            )
    refused = {
        "model.lookup_heads": config.lookup_heads > 0,
        "model.layers": config.layers is not None and "conv" in config.layers,
        "model.qk_norm=all": config.qk_norm == "all",
    }
    for name, is_used in refused.items():
        if is_used:
            raise ValueError(f"trainer=tp cannot divide a model with {name}; use trainer=fsdp")
