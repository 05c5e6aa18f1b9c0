"""Print the mean of each metric over the jobs of a sweep, with its 95 % interval.

The interval is Student's t over the jobs (Student 1908): it shows the variation between seeds, not between
questions.
"""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from rich.box import SIMPLE
from rich.table import Table

from foundling.artifacts import read_json
from foundling.selection import flat
from foundling.settings import Job
from foundling.terminal import show

WIDTH = 120


def run(job: Job) -> None:
    """Print the table."""
    settings = job.settings.seeds
    sweep = Path(settings.sweep) if settings.sweep else newest(Path("multirun"))
    jobs = read_jobs(sweep)
    matching = [name for name in jobs[0] if any(fnmatchcase(name, pattern) for pattern in settings.metrics)]
    common = [name for name in matching if all(name in job for job in jobs)]
    if not common:
        raise ValueError(
            f"seeds.metrics={' or '.join(settings.metrics)}: the {len(jobs)} jobs of {sweep} have no such "
            f"metric in common; use names such as {', '.join(list(jobs[0])[:4])}"
        )
    show(table(f"{sweep}, {len(jobs)} jobs", {n: [job[n] for job in jobs] for n in common}), width=WIDTH)


def newest(folder: Path) -> Path:
    """The newest sweep: multirun/<command>/<time>."""
    sweeps = sorted(folder.glob("*/*/"), key=lambda path: path.name)
    if not sweeps:
        raise ValueError(
            f"{folder} has no sweep; run one, such as `foundling instruct -m instruct.seed=1,2,3`"
        )
    return sweeps[-1]


def read_jobs(sweep: Path) -> list[dict[str, float]]:
    """Each job's metrics by dotted names, in the order of the jobs; fewer than two raise ValueError."""
    folders = sorted(
        (job for job in sweep.glob("*/") if (job / "metrics").is_dir()), key=lambda job: _number(job.name)
    )
    if len(folders) < 2:
        raise ValueError(
            f"{sweep} has {len(folders)} jobs with metrics, but an interval needs at least 2; set seeds.sweep"
        )
    return [_metrics(folder / "metrics") for folder in folders]


def _metrics(folder: Path) -> dict[str, float]:
    values = flat({file.stem: read_json(file) for file in sorted(folder.glob("*.json"))})
    return {name: float(value) for name, value in values if type(value) in (int, float)}


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """The mean, and the bounds of its 95 % interval by Student's t."""
    import numpy as np
    from scipy.stats import sem, t

    mean = float(np.mean(values))
    half = float(t.ppf(0.975, len(values) - 1) * sem(values))
    return mean, mean - half, mean + half


def table(title: str, metrics: Mapping[str, Sequence[float]]) -> Table:
    """A row for each metric: mean, interval, and the value of each job."""
    made = Table("metric", "mean", "95 %", "jobs", title=title, box=SIMPLE)
    for column in made.columns[:3]:
        column.no_wrap = True
    for column in made.columns[1:]:
        column.justify = "right"
    for name, values in metrics.items():
        mean, low, high = interval(values)
        made.add_row(
            name, f"{mean:.4f}", f"{low:.4f} – {high:.4f}", " ".join(f"{value:.4f}" for value in values)
        )
    return made


def _number(name: str) -> tuple[int, str]:
    return (int(name), "") if name.isdigit() else (10**9, name)
