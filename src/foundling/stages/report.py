"""Write all measurements to one page, report/index.html; of several seeds with `foundling report RUN…`."""

from pathlib import Path

from foundling.artifacts import atomic_folder
from foundling.reporting.comparison import group
from foundling.reporting.drawing import as_png
from foundling.reporting.figures import emergence
from foundling.reporting.material import Material, over_seeds, read_material, settings_of
from foundling.reporting.page import by_benchmark, page
from foundling.reporting.result_files import FolderFiles, open_files
from foundling.reporting.runs import read_run
from foundling.reporting.templates import words
from foundling.settings import Job


def run(job: Job) -> None:
    """Write the page, and the first emergence curve as a PNG for a README."""
    runs, folder = job.settings.report.runs, job.out / "report"
    if runs:
        material, folder = _of_several(job, runs), job.out / job.settings.report.to
    else:
        material = read_material(FolderFiles(Path()), job.settings, job.recipe)
    with atomic_folder(folder) as files:
        (files / "index.html").write_text(page(material), encoding="utf-8", newline="\n")
        for name, rows in list(by_benchmark(material.emergence).items())[:1]:
            (files / "emergence.png").write_bytes(as_png(emergence(rows, words(name))))
    if runs:
        print(f"{folder / 'index.html'}: the report of {len(runs)} runs")


def _of_several(job: Job, runs: tuple[str, ...]) -> Material:
    """The results of runs that differ in nothing but their seeds; ValueError for others."""
    opened = [open_files(run) for run in runs]
    sides = group([read_run(files) for files in opened])
    if len(sides) > 1 or len(runs) < 2:
        raise ValueError(
            f"report.runs={' '.join(runs)}: must be two or more runs of one commit that differ only in their "
            f"seeds; use `foundling compare {' '.join(runs)}` to see how they differ"
        )
    settings, recipe = settings_of(opened[0], job.settings, job.recipe)
    materials = [read_material(files, settings, recipe) for files in opened]
    return over_seeds(materials, sides[0].seeds.split(", "))
