"""Hydra's sweeper `optuna`, of conf/hydra/sweeper/optuna.yaml. Hydra loads sweepers from this package only.

Hydra imports this module at every start, so Optuna is imported when a sweep starts.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.plugins.sweeper import Sweeper


class OptunaSweeper(Sweeper):
    """Chooses the settings of each job by the results of the jobs before it.

    The same command makes the same choices: a sweep that was stopped is repeated from its first job on, and
    jobs that have ended return their recorded results at once.
    """

    def __init__(
        self,
        n_trials: int,
        n_jobs: int,
        seed: int,
        startup_trials: int,
        pruning: Any,  # read by the jobs
        params: Any,
    ) -> None:
        self.n_trials, self.n_jobs, self.seed, self.startup_trials = n_trials, n_jobs, seed, startup_trials
        self.params = params or {}

    def setup(self, *, hydra_context: Any, task_function: Any, config: Any) -> None:
        """Keep the config, and make the launcher; Hydra calls this before `sweep`."""
        from hydra.core.plugins import Plugins

        self.config, self.loader = config, hydra_context.config_loader
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: Sequence[str]) -> None:
        """Run all jobs, `n_jobs` at a time."""
        from foundling.parsing import parse
        from foundling.sweeps.records import JOB, read_job
        from foundling.sweeps.search import Search

        params = [f"{key}={value}" for key, value in self.params.items()]
        config: Any = self.config
        launcher: Any = self.launcher
        search = Search(
            parse([*params, *arguments], self.loader), config.hydra.job.name, self.seed, self.startup_trials
        )
        started = 0
        while started < self.n_trials:
            trials = search.ask(min(self.n_jobs, self.n_trials - started))
            jobs = [search.overrides(trial) for trial in trials]
            for trial, job in zip(trials, launcher.launch(jobs, started), strict=True):
                _ = job.return_value  # raises what the job raised
                folder = Path(job.hydra_cfg.hydra.runtime.output_dir)
                record = read_job(folder)
                assert record is not None, f"{folder} has no {JOB}"
                search.tell(trial, record)
            started += len(trials)
