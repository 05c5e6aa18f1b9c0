"""Choose the settings of a sweep's jobs by Optuna's TPE (Bergstra et al. 2011), the same ones each time."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import Trial, TrialState

from foundling.sweeps.records import OBJECTIVES, JobRecord

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override


class Search:
    """A study: asks for the settings of the next jobs, and is told how they ended."""

    def __init__(self, overrides: Sequence["Override"], command: str, seed: int, startup_trials: int) -> None:
        """The study of a command's result over the overrides with several values; the others are the same.

        The first `startup_trials` jobs have random settings.
        """
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.maximizes = OBJECTIVES[command][1]
        last = {override.get_key_element(): override for override in overrides}
        self.space = {key: _values(one) for key, one in last.items() if one.is_sweep_override()}
        self.fixed = [
            f"{key}={one.get_value_element_as_str()}" for key, one in last.items() if key not in self.space
        ]
        self.study = optuna.create_study(
            direction="maximize" if self.maximizes else "minimize",
            sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=startup_trials),
        )
        self._held: list[Trial] = []

    def ask(self, most: int) -> list[Trial]:
        """The next trials, at most `most`, no two of them equal: equal jobs cannot run at the same time."""
        trials, self._held = self._held, []
        while len(trials) < most:
            trial = self.study.ask(self.space)
            if any(trial.params == other.params for other in trials):
                self._held = [trial]
                break
            trials.append(trial)
        return trials

    def overrides(self, trial: Trial) -> list[str]:
        """A job's overrides."""
        return [*self.fixed, *(f"{key}={_short(value)}" for key, value in trial.params.items())]

    def tell(self, trial: Trial, record: JobRecord) -> None:
        """Learn from a job's result; of a pruned one, from its last validation loss."""
        value = record.value
        if record.state == "pruned" and value is not None and record.step is not None:
            trial.report(-value if self.maximizes else value, record.step)
            self.study.tell(trial, state=TrialState.PRUNED)
        elif value is None or not math.isfinite(value):
            self.study.tell(trial, state=TrialState.FAIL)
        else:
            self.study.tell(trial, value)


def _short(value: Any) -> str:
    """A value to four digits, enough for a setting that is searched."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _values(override: "Override") -> BaseDistribution:
    """The values of an override as Optuna's distribution: a choice, a range, or an interval."""
    value: Any = override.value()
    if override.is_interval_sweep():
        start, end, log = value.start, value.end, "log" in value.tags
        if isinstance(start, int) and isinstance(end, int):
            return IntDistribution(start, end, log=log)
        return FloatDistribution(start, end, log=log)
    if override.is_range_sweep() and not value.shuffle:
        start, stop, step = value.start, value.stop, value.step
        if all(isinstance(number, int) for number in (start, stop, step)) and start < stop and step > 0:
            return IntDistribution(start, start + (stop - start - 1) // step * step, step=step)
    # the values as texts, so that any of Hydra's grammar are written as they were typed
    return CategoricalDistribution([str(one) for one in override.sweep_string_iterator()])
