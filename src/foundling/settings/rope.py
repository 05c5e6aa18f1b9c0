"""Settings of rotary positions whose context was extended after training."""

from typing import Annotated, Literal, Self, TypeAlias

from annotated_types import Ge, Gt
from pydantic import model_validator
from pydantic.dataclasses import dataclass

from foundling.settings.types import Size
from foundling.validation import STRICT

PositiveFloat = Annotated[float, Gt(0)]


@dataclass(frozen=True, config=STRICT, kw_only=True)
class LinearScaling:
    """Positions divided by a factor (Chen et al. 2023)."""

    kind: Literal["linear"]
    factor: Annotated[float, Ge(1)]


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Llama3Scaling:
    """Low frequencies divided by a factor, high ones kept, a ramp between the two (Llama 3.1)."""

    kind: Literal["llama3"]
    factor: Annotated[float, Ge(1)]
    original_context: Size  # tokens that the model was trained with before
    low_freq_factor: PositiveFloat  # rotations within that context up to which a frequency is divided
    high_freq_factor: PositiveFloat  # and from which it is kept

    @model_validator(mode="after")
    def _ramp_ascends(self) -> Self:
        if self.low_freq_factor >= self.high_freq_factor:
            raise ValueError(
                f"low_freq_factor={self.low_freq_factor}: must be below "
                f"high_freq_factor={self.high_freq_factor}"
            )
        return self


@dataclass(frozen=True, config=STRICT, kw_only=True)
class YarnScaling:
    """YaRN (Peng et al. 2023): as llama3, with a ramp over channels, and sharper attention."""

    kind: Literal["yarn"]
    factor: Annotated[float, Ge(1)]
    original_context: Size
    beta_fast: PositiveFloat = 32.0
    beta_slow: PositiveFloat = 1.0
    attention_factor: PositiveFloat | None = None  # null: 0.1 · ln(factor) + 1
    truncate: bool = True  # the ramp's ends to whole channels


@dataclass(frozen=True, config=STRICT, kw_only=True)
class LongropeScaling:
    """LongRoPE (Ding et al. 2024): each frequency divided by a factor of its own, as in Phi-3.

    Texts of up to `original_context` tokens have other factors than longer ones.
    """

    kind: Literal["longrope"]
    original_context: Size
    short_factors: tuple[PositiveFloat, ...]
    long_factors: tuple[PositiveFloat, ...]
    attention_factor: PositiveFloat  # of queries and keys, in texts of any length


RopeScaling: TypeAlias = LinearScaling | Llama3Scaling | YarnScaling | LongropeScaling
