"""Show the jobs of a sweep: finished, interrupted at a step, or waiting, and the best one's command.

Without a folder it is the newest sweep below multirun/. The command that started a sweep continues it:
finished jobs are kept, interrupted ones resume from their last checkpoint.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.experimental.callback import Callback
from rich.box import SIMPLE
from rich.table import Table

from foundling.artifacts import atomic_file
from foundling.settings import Job
from foundling.sweeps.records import OBJECTIVES, SWEEP, SweepRecord, best_job, read_jobs, read_sweep
from foundling.sweeps.status import JobStatus, single_command, statuses, sweep_command
from foundling.terminal import show

if TYPE_CHECKING:
    from omegaconf import DictConfig

WIDTH = 120
FOLDER = Path("multirun")


def run(job: Job) -> None:
    """Print the table of jobs, the best job, and the command that continues the sweep."""
    folder = _find(job.settings.sweep.folder)
    record = read_sweep(folder)
    if record is None:
        raise ValueError(f"{folder} has no {SWEEP}; name the folder of a sweep, multirun/<command>/<time>")
    rows = statuses(folder, record)
    show(_table(folder, record, rows), width=WIDTH)
    _print_results(folder, record, rows)
    if not record.finished:
        print(f"{sweep_command(record)}   # continues")


class AfterSweep(Callback):
    """Prints the metrics of a sweep's jobs when it has ended: mean and interval where only seeds differ."""

    def on_multirun_end(self, config: "DictConfig", **kwargs: Any) -> None:
        """Print the tables, if at least two jobs have metrics, and the best job."""
        from foundling.reporting.comparison import compare
        from foundling.reporting.comparison_table import tables
        from foundling.reporting.runs import open_runs

        folder = Path(config.hydra.sweep.dir)
        if len({file.parent for file in folder.glob("*/metrics/*.json")}) > 1:
            show(*tables(compare(open_runs(str(folder)), config.compare.metrics)), width=WIDTH)
            print(f"foundling compare {folder}   # a page with curves")
        record = read_sweep(folder)
        if record is not None:
            _print_results(folder, record, statuses(folder, record))


def _find(name: str | None) -> Path:
    """The folder of a sweep: the named one, or the newest; ValueError if there is none."""
    if name is not None:
        if not Path(name).is_dir():
            raise ValueError(f"no folder {name}; name that of a sweep, multirun/<command>/<time>, or none")
        return Path(name)
    found = sorted(FOLDER.glob(f"*/*/{SWEEP}"), key=lambda path: path.parent.name)
    if not found:
        raise ValueError(f"{FOLDER} has no sweep; run one, such as `foundling pretrain -m seed=1,2,3`")
    return found[-1].parent


def _table(folder: Path, record: SweepRecord, rows: Sequence[JobStatus]) -> Table:
    objective = OBJECTIVES[record.command][0]
    table = Table("job", *record.swept, "state", objective, box=SIMPLE, caption_justify="left")
    table.columns[-1].justify = "right"
    for row in rows:
        value = row.record.value if row.record is not None else None
        table.add_row(str(row.number), *row.values, row.state, "" if value is None else f"{value:.4f}")
    table.caption = f"in {folder}"
    return table


def _print_results(folder: Path, record: SweepRecord, rows: Sequence[JobStatus]) -> None:
    """The jobs that ended early, the page, the best job, and the command that runs it in the workspace."""
    from foundling.reporting.sweep_page import PAGE, sweep_page

    for row in rows:
        if row.record is not None and row.record.state in ("diverged", "pruned"):
            print(f"job {row.number}: {row.record.reason or row.state}")
    best = best_job(record.command, read_jobs(folder))
    if best is None or best.value is None:
        return
    with atomic_file(folder / PAGE) as file:
        file.write(sweep_page(folder, record, rows))
    print(f"{folder / PAGE}: what mattered")
    print(f"best: job {best.number}, {OBJECTIVES[record.command][0]} {best.value:.4f}")
    print(f"  {single_command(record, best)}")
