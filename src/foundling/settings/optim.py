"""Settings of optimizers (conf/optimizer) and learning-rate schedules (conf/schedule), also custom ones."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Discriminator, Field, Tag
from pydantic.dataclasses import dataclass

from foundling.settings.types import Component, CustomComponent, Fraction, Natural, NonNegative
from foundling.validation import STRICT

Betas: TypeAlias = tuple[Fraction, Fraction]


@dataclass(frozen=True, config=STRICT, kw_only=True)
class AdamW(Component):
    target: Literal["foundling.training.optim.adamw"] = Field(alias="_target_")
    lr: NonNegative
    betas: Betas
    eps: NonNegative
    weight_decay: NonNegative


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Muon(Component):
    target: Literal["foundling.training.optim.muon"] = Field(alias="_target_")
    lr: NonNegative
    momentum: Fraction
    weight_decay: NonNegative
    adamw_lr: NonNegative
    adamw_betas: Betas
    adamw_eps: NonNegative
    adamw_weight_decay: NonNegative


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Trapezoid(Component):
    target: Literal["foundling.training.optim.trapezoid"] = Field(alias="_target_")
    warmup: Natural  # steps
    decay: Fraction  # of all steps
    final: Fraction  # of the peak learning rate


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Cosine(Component):
    target: Literal["foundling.training.optim.cosine"] = Field(alias="_target_")
    warmup: Natural
    final: Fraction


@dataclass(frozen=True, config=STRICT, kw_only=True)
class InverseSqrt(Component):
    target: Literal["foundling.training.optim.inverse_sqrt"] = Field(alias="_target_")
    warmup: Natural


def _ours(values: Any) -> str:
    """The name of one of our optimizers or schedules, or "custom"."""
    target = values.get("_target_") if isinstance(values, Mapping) else getattr(values, "target", None)
    module, _, name = str(target).rpartition(".")
    ours = ("adamw", "muon", "trapezoid", "cosine", "inverse_sqrt")
    return name if module == "foundling.training.optim" and name in ours else "custom"


Optimizer: TypeAlias = Annotated[
    Annotated[AdamW, Tag("adamw")] | Annotated[Muon, Tag("muon")] | Annotated[CustomComponent, Tag("custom")],
    Discriminator(_ours),
]
Schedule: TypeAlias = Annotated[
    Annotated[Trapezoid, Tag("trapezoid")]
    | Annotated[Cosine, Tag("cosine")]
    | Annotated[InverseSqrt, Tag("inverse_sqrt")]
    | Annotated[CustomComponent, Tag("custom")],
    Discriminator(_ours),
]
