"""Tell whether a job of a sweep is worth finishing, by the validation losses of the jobs before it."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foundling.sweeps.records import job_folders, read_job

Curve = Mapping[int, float]  # the validation loss after a step
LOSS = "val/loss"
FILES = ("plots/validation.csv", "plots/{stage}_validation.csv")  # of a job; the first one is pretrain's


@dataclass(frozen=True)
class Pruning:
    """Optuna's median rule: a job ends whose best loss is above the median of others after as many steps."""

    others: Sequence[Curve]
    startup_trials: int  # jobs that must have finished before any is pruned
    warmup_steps: int  # of a job before it may be pruned

    def ends(self, curve: Curve) -> bool:
        """Whether a job with these validation losses should end."""
        if any(math.isnan(loss) for loss in curve.values()):
            return True
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        rule = optuna.pruners.MedianPruner(self.startup_trials, self.warmup_steps)
        study = optuna.create_study(pruner=rule)
        for other in self.others:
            lowest = min(other.values())
            study.add_trial(optuna.create_trial(value=lowest, intermediate_values=dict(other)))
        trial = study.ask()
        for step, loss in curve.items():
            trial.report(loss, step)
        return trial.should_prune()


def pruning_of(stage: str) -> Pruning | None:
    """The rule for the job that this process runs, if Hydra's sweeper has the setting `pruning`."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    if not HydraConfig.initialized() or HydraConfig.get().mode != RunMode.MULTIRUN:
        return None
    run: Any = HydraConfig.get()
    settings = run.sweeper.get("pruning")
    if not settings:
        return None
    # only jobs of earlier batches, so that the result does not depend on which of a batch is faster
    before = run.job.num - run.job.num % run.sweeper.n_jobs
    curves = finished_curves(Path(run.sweep.dir), stage, before)
    return Pruning(curves, settings.startup_trials, settings.warmup_steps)


def finished_curves(sweep: Path, stage: str, before: int) -> list[Curve]:
    """The validation losses of the finished jobs with a lower number than `before`."""
    curves = []
    for number, folder in job_folders(sweep).items():
        record = read_job(folder)
        if number < before and record is not None and record.state == "finished":
            files = [path for name in FILES if (path := folder / name.format(stage=stage)).is_file()]
            curves += [read_curve(path) for path in files[:1]]
    return [curve for curve in curves if curve]


def read_curve(path: Path) -> Curve:
    """The validation losses in a CSV file of a training."""
    with open(path, encoding="utf-8", newline="") as file:
        return {int(row["step"]): float(row[LOSS]) for row in csv.DictReader(file)}
