"""How a training may end without a model, as exceptions: in a sweep, the other jobs then continue."""


class Diverged(ValueError):
    """The loss or the gradient was not finite, or the loss had a spike."""


class Pruned(Exception):
    """A sweep stopped one of its jobs, because others had a lower validation loss after as many steps."""

    def __init__(self, step: int, loss: float) -> None:
        super().__init__(f"stopped after step {step:,} with val/loss {loss:.4f}")
        self.step, self.loss = step, loss


class JobFailed(ValueError):
    """A job of a sweep failed in a process of its own, whose message this is."""
