"""How long a training runs, and how its steps are computed: all of it shapes the result."""

from dataclasses import dataclass

from foundling.settings.training import Training


@dataclass(frozen=True)
class Loop:
    """A stage's section, which says how a step is computed, and what the stage works out by itself."""

    settings: Training
    max_steps: int
    validate_every: int  # steps
    accumulate: int = 1  # microbatches of a batch
