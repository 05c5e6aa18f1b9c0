"""The settings of a training loop, resolved from a stage's section."""

from dataclasses import dataclass

from foundling.settings.training import Faults, Training


@dataclass(frozen=True)
class Loop:
    """How long a training runs and how its steps are computed; every field affects the result."""

    max_steps: int
    validate_every: int  # steps
    accumulate: int  # microbatches of a batch
    gradient_clip: float  # by norm; 0: off
    precision: str | int  # auto, or one of lightning.Trainer's
    compile: bool
    seed: int
    faults: Faults

    @classmethod
    def of(cls, settings: Training, *, max_steps: int, validate_every: int, accumulate: int = 1) -> "Loop":
        """The loop of a stage's section, with the values that each stage computes itself."""
        return cls(
            max_steps=max_steps,
            validate_every=validate_every,
            accumulate=accumulate,
            gradient_clip=settings.gradient_clip,
            precision=settings.precision,
            compile=settings.compile,
            seed=settings.seed,
            faults=settings.faults,
        )
