"""What a stage decides about its training loop, resolved from its section."""

from dataclasses import dataclass

from foundling.settings.training import Faults, Training


@dataclass(frozen=True)
class Loop:
    """How long a training runs and how its steps are computed: all of it shapes the result."""

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
        """A stage's section, with what each stage works out by itself."""
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
