"""A sweep as one self-contained HTML page: its best job, what mattered, and all jobs."""

from collections.abc import Sequence
from pathlib import Path

from foundling.reporting.drawing import as_svg
from foundling.reporting.sweep_effects import effects, finished
from foundling.reporting.sweep_figures import effect_rows, main_effect, parallel_coordinates
from foundling.reporting.templates import Download, Drawn, render
from foundling.sweeps.records import OBJECTIVES, SweepRecord, best_job
from foundling.sweeps.status import JobStatus, single_command, sweep_command

PAGE = "sweep.html"


def sweep_page(folder: Path, sweep: SweepRecord, rows: Sequence[JobStatus]) -> str:
    """Render the page; equal results give equal bytes."""
    objective, maximizes = OBJECTIVES[sweep.command]
    results = finished(rows)
    found = effects(sweep.swept, results)
    figures = [
        Drawn(one.key, [as_svg(main_effect(one, objective))], Download(f"{one.key}.csv", effect_rows(one)))
        for one in found
    ]
    lines = [
        {"job": one.job, **dict(zip(sweep.swept, one.values, strict=True)), objective: one.value}
        for one in results
    ]
    parallel = None
    if found:
        drawn = parallel_coordinates(sweep.swept, results, objective, maximizes)
        parallel = Drawn("parallel coordinates", [as_svg(drawn)], Download("jobs.csv", lines))
    best = best_job(sweep.command, {row.number: row.record for row in rows if row.record is not None})
    return render(
        "sweep.html.j2",
        title=f"Sweep of {sweep.command}",
        folder=str(folder),
        sweep=sweep,
        objective=objective,
        command=sweep_command(sweep),
        rows=rows,
        best=best,
        best_command=None if best is None else single_command(sweep, best),
        effects=found,
        figures=figures,
        parallel=parallel,
    )
