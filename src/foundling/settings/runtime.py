"""Settings of how a run is executed, and on which hardware; none of them changes a model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le
from pydantic.dataclasses import dataclass

from foundling.settings.types import Natural, NonNegative, Positive, PositiveNumber
from foundling.validation import STRICT

Accelerator = Literal["auto", "gpu", "cuda", "mps", "cpu"]
NumberFormat = Literal["fp64", "fp32", "bf16", "fp16"]
Dtype = Literal["float32", "bfloat16", "float16"]
Devices = Annotated[int, Ge(-1), Le(4096)]
ACTIVATION_CHECKPOINTING = "runtime.activation_checkpointing"
FSDP, TENSOR_PARALLEL = "fsdp", "tp"  # the strategies that divide the weights among the processes
Logits = Literal["auto", "whole", "chunks"]


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Trainer:
    """conf/trainer: keyword arguments of lightning.Trainer."""

    accelerator: Accelerator
    devices: Devices | Literal["auto"] | tuple[Devices, ...]
    strategy: str = "auto"
    num_nodes: Positive = 1


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Logger:
    wandb: Literal["auto", "online", "offline"] | Literal[False]
    project: str | None
    entity: str | None
    group: str | None
    name: str | None
    tags: tuple[str | int, ...]


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Runtime:
    mirror: str | None
    workers: Annotated[int, Ge(0), Le(1024)]
    batch: Literal["fixed", "auto"]
    activation_checkpointing: Natural
    logits: Logits
    threads: Annotated[int, Ge(1), Le(4096)] | None
    progress: Literal["auto"] | bool
    deterministic: bool
    dtype: Dtype
    budget_hours: NonNegative | None
    log_every: Positive
    checkpoint_every: Positive
    checkpoint_seconds: NonNegative
    trainer: Trainer
    logger: Logger

    def __post_init__(self) -> None:
        if self.logits == "chunks" and self.trainer.strategy == FSDP:
            raise ValueError("logits=chunks is not possible with trainer=fsdp; choose logits=auto or whole")

    @property
    def mirror_folder(self) -> Path | None:
        """The local folder that is searched before any download."""
        return Path(self.mirror).expanduser() if self.mirror else None


@dataclass(frozen=True, config=STRICT)
class Hardware:
    """The hardware to train on, conf/hardware; null means unknown."""

    name: str
    devices: Positive
    precision: str  # what pretrain.precision=auto means here
    peak: Mapping[NumberFormat, Annotated[float, Gt(0)]] | None  # FLOP/s of one device
    utilization: Annotated[float, Gt(0), Le(1)]  # the share of the peak that training reaches
    memory: PositiveNumber | None  # bytes per device
    power: NonNegative | None  # watts per device
    price: NonNegative | None  # dollars per device and hour
