"""Compare runs: settings that differ, metrics with intervals, paired tests and curves, as a table and a page.

Runs are folders (a project, a sweep below multirun/, one of its jobs), git revisions or DVC experiments;
without any, the jobs of the newest sweep. Runs that differ only in their seeds become one side, whose
95 % intervals show the variation between seeds (Student's t). The first side is the one that the others
are tested against.
"""

from pathlib import Path

from foundling.artifacts import atomic_file
from foundling.settings import Job
from foundling.terminal import show

WIDTH = 120


def run(job: Job) -> None:
    """Print the tables, and write the page."""
    from foundling.reporting.comparison import compare
    from foundling.reporting.comparison_page import comparison_page
    from foundling.reporting.comparison_table import tables
    from foundling.reporting.runs import newest_sweep, open_runs

    settings = job.settings.compare
    places = settings.runs or (str(newest_sweep(Path("multirun"))),)
    comparison = compare([run for place in places for run in open_runs(place)], settings.metrics)
    page = comparison_page(comparison, settings.axis)
    show(*tables(comparison), width=WIDTH)
    with atomic_file(job.out / settings.page) as file:
        file.write(page)
    print(f"{job.out / settings.page}: the same with curves")
