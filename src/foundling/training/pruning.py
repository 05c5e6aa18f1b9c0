"""End a training that its sweep's other jobs have shown to be worse."""

from lightning import Callback, LightningModule, Trainer

from foundling.outcomes import Pruned
from foundling.processes import is_first_process
from foundling.sweeps.pruning import LOSS, Pruning, read_curve
from foundling.training.module import TrainingModule


class Prune(Callback):
    """Raises Pruned after a validation whose loss is too high, but not after the last step."""

    def __init__(self, rule: Pruning) -> None:
        self.rule = rule

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Read the losses from the recorder's file, which a resumed training has as well."""
        assert isinstance(pl_module, TrainingModule)
        step = trainer.global_step
        if not is_first_process() or step >= trainer.max_steps:
            return
        if self.rule.ends(read_curve(pl_module.recorder.validation.path)):
            raise Pruned(step, pl_module.validation[LOSS])
