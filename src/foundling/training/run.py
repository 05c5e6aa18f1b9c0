"""What the four training stages share: device, scratch folder, W&B, run record, publishing of results."""

import time
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from lightning import Callback
from torch import nn

from foundling import tracking
from foundling.artifacts import publish, write_lines
from foundling.data.datamodule import TrainingData
from foundling.device import set_up
from foundling.metrics import write_metrics
from foundling.outcomes import Pruned
from foundling.processes import is_first_process
from foundling.scratch import RunFolder, start_run
from foundling.settings import Job
from foundling.sweeps.pruning import pruning_of
from foundling.sweeps.records import note_scratch
from foundling.text.tokenizer import Tokenizer
from foundling.training.fit import fit
from foundling.training.loggers import lightning_logger
from foundling.training.module import Loop, TrainingModule
from foundling.training.pruning import Prune
from foundling.training.recorder import TRAIN_FILE, VALIDATION_FILE, Recorder
from foundling.weights import folder
from foundling.weights.provenance import provenance, run_record


class TrainingRun:
    """One run of a training stage.

    Everything that the stage writes goes below `results`, a folder in scratch; `publish` moves all of it to
    its final place at once. A failure before that leaves the old results unchanged, and the same command
    resumes.
    """

    recorder: Recorder
    model: Path  # the folder that save_model wrote

    def __init__(
        self,
        job: Job,
        stage: str,
        *,
        sections: Sequence[str],
        inputs: Sequence[Path],
        parent: Path | None = None,
    ) -> None:
        """Start the clock and choose the device; the scratch folder is locked, and W&B started, at first use.

        Args:
            job: its settings, and the folder below which results are published.
            stage: the stage's name, also used for its metrics and curves.
            sections: the recipe's sections that determine the model; its provenance consists of these,
                `inputs` and `parent`.
            inputs: files and folders that the model is made from.
            parent: the model that is trained further.
        """
        self.started = time.perf_counter()
        self.job, self.stage, self.runtime = job, stage, job.settings.runtime
        self.sections, self.inputs, self.parent = sections, inputs, parent
        self.seconds: dict[str, float] = {}
        self.device = set_up(self.runtime)

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """Everything that determines the model, as its provenance.json records it."""
        config = {name: self.job.recipe[name] for name in self.sections}
        return provenance(config, list(self.inputs), self.parent)

    @cached_property
    def _scratch(self) -> RunFolder:
        folder = start_run(self.stage, self.provenance)
        if is_first_process():
            note_scratch(self.job.out, folder.path)
        return folder

    @property
    def scratch(self) -> Path:
        """The folder for files that grow during the training; locked by this process."""
        return self._scratch.path

    @property
    def results(self) -> Path:
        """The folder of results before they are published, laid out as models/…, metrics/…, plots/…."""
        return self.scratch / "results"

    @cached_property
    def tracked(self) -> tracking.TrackedRun:
        """The training's W&B run, without effect if W&B is disabled."""
        return tracking.start(self.job, self.stage, self.scratch)

    def fit(
        self, module: TrainingModule, data: TrainingData, loop: Loop, callbacks: Sequence[Callback] = ()
    ) -> dict[str, float]:
        """Train, and return the last validation's measures; only the first of several processes returns."""
        rule = pruning_of(self.stage)
        watchers = [] if rule is None else [Prune(rule)]
        logger = lightning_logger(self.tracked)
        try:
            self.recorder = fit(module, data, loop, self.runtime, self.scratch, callbacks, logger, watchers)
        except Pruned:
            self.tracked.finish()
            self._scratch.remove()
            raise
        if not is_first_process():
            raise SystemExit(0)
        self.microbatches = module.microbatches
        return {name: value for name, value in module.validation.items() if name != "step"}

    def lap(self, name: str) -> None:
        """Record the seconds since the start under a name."""
        self.seconds[name] = time.perf_counter() - self.started

    def save_model(
        self,
        name: str,
        network: nn.Module,
        tokenizer: Tokenizer,
        measures: Mapping[str, float],
        files: Mapping[str, Any] | None = None,
    ) -> None:
        """Write models/<name> with its provenance, the measures of its validation, and further JSON files."""
        skipped = {"skipped": self.recorder.skipped} if self.recorder.skipped else {}
        self.model = self.results / "models" / name
        folder.save(
            self.model, network, tokenizer, {**self.provenance, "metrics": dict(measures), **skipped}, files
        )

    def write_metrics(self, metrics: Any) -> None:
        """Write an instance of the stage's schema as metrics/<stage>.json."""
        write_metrics(self.results / f"metrics/{self.stage}.json", metrics)

    def write_lines(self, path: str, rows: Iterable[Any]) -> None:
        """Write dataclasses as JSON lines."""
        write_lines(self.results / path, rows)

    def log(self, measures: Mapping[str, float]) -> None:
        """Log measures of the whole run to W&B."""
        self.tracked.log(measures)

    def publish(self, places: Mapping[str, str] | None = None) -> None:
        """Record this run in metrics/<stage>_run.json, publish all results, and log them to W&B.

        Args:
            places: further files and folders of `scratch`, each with the path that it is published as.
        """
        self.lap("whole")
        record = run_record(
            self.model / folder.WEIGHTS,
            {"training": self.recorder.seconds, **self.seconds},
            self.recorder.tokens_per_second,
            self.device,
            self.tracked.address,
            self.runtime.deterministic,
            self.microbatches,
        )
        write_metrics(self.results / f"metrics/{self.stage}_run.json", record)
        curves = {
            TRAIN_FILE: f"plots/{self.stage}.csv",
            VALIDATION_FILE: f"plots/{self.stage}_validation.csv",
        }
        results = {self.scratch / name: place for name, place in {**curves, **(places or {})}.items()}
        results |= {path: str(path.relative_to(self.results)) for path in sorted(self.results.glob("*/*"))}
        publish(results, self.job.out)
        self.tracked.log_results(self.job.out, self.parent)
        self.tracked.finish()
        self._scratch.remove()
