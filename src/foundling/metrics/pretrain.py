"""metrics/pretrain.json: the base model after its last step."""

from pydantic.dataclasses import dataclass

from foundling.metrics import SCHEMA


@dataclass(frozen=True, config=SCHEMA, kw_only=True)
class Pretrain:
    """Losses on the whole validation split, in nats per token."""

    val_loss: float
    val_perplexity: float
    val_bits_per_byte: float
    tokens: int  # trained on, repetitions included
    parameters: int
