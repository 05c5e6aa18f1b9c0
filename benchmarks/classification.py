"""Compare a fine-tuned GPT with baselines on natural texts, over paired seeds.

Run it in a project with a models/base, for example one trained on books: python benchmarks/classification.py
sms_spam …. Each task is a sweep of `foundling classify` over seeds; each seed has its own split, on which all
models are trained and tested. Settings apply to all runs.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from scipy import stats

from foundling.metrics import read_metrics
from foundling.metrics.classify import Classify, ModelScores
from foundling.metrics.run import Run

SWEEPS = Path("multirun/classification")
TASKS = {  # the settings of each task, and what is compared
    "sms_spam_balanced": (["classify=sms_spam", "classify.balance=true"], "accuracy"),
    "sms_spam": (["classify=sms_spam"], "f1"),
    "banking77": (["classify=banking77", "classify.split.by=stratified"], "accuracy"),
    "sst2": (["classify=sst2", "classify.split.by=stratified"], "accuracy"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="*", help=f"of {', '.join(TASKS)}; and settings, as section.value=…")
    parser.add_argument("--seeds", default="1,2,3,4,5")
    parser.add_argument("--again", action="store_true", help="show the tables of earlier runs")
    arguments = parser.parse_intermixed_args()
    settings = [word for word in arguments.tasks if "=" in word]
    for task in [word for word in arguments.tasks if "=" not in word] or list(TASKS):
        if not arguments.again:
            sweep(task, arguments.seeds, settings)
        Console(width=130).print(table(task))


def sweep(task: str, seeds: str, settings: Sequence[str]) -> None:
    """Fetch the texts, then fine-tune and test once for each seed."""
    chosen, _ = TASKS[task]
    run("fetch", "fetch.dataset=classify", *chosen, *settings)
    place = f"hydra.sweep.dir={SWEEPS / task}"
    run("classify", "-m", *chosen, "classify.zero_shot.limit=100", *settings, f"classify.seed={seeds}", place)


def run(*command: str) -> None:
    done = subprocess.run(["foundling", *command])
    if done.returncode:
        sys.exit(done.returncode)


def table(task: str) -> Table:
    """Each model's mean over the seeds, and the fine-tuned GPT's lead on the same splits."""
    measure = TASKS[task][1]
    jobs = sorted((SWEEPS / task).glob("*/metrics/classify.json"), key=lambda file: int(file.parts[-3]))
    metrics = [read_metrics(file, Classify) for file in jobs]
    texts = metrics[0].texts
    ratio = texts.test / texts.train
    shown = Table(
        "model", f"mean {measure}, %", "by seed", "fine-tuned GPT ahead by", "95 % interval", box=SIMPLE
    )
    sizes = f"{texts.train:,} train, {texts.validation:,} validation, {texts.test:,} test"
    shown.title = f"{task}: {len(jobs)} seeds, {sizes}"
    for column in shown.columns[1:]:
        column.justify = "right"
    values = {
        name: 100 * np.array([value(job.models[name], measure) for job in metrics])
        for name in metrics[0].models
    }
    for name, scores in values.items():
        row = [name, f"{scores.mean():.2f}", " ".join(f"{score:.1f}" for score in scores)]
        if name != "classifier":
            gaps = values["classifier"] - scores
            interval = across_texts(metrics[0], name, measure) if len(jobs) == 1 else corrected(gaps, ratio)
            row += [f"{gaps.mean():+.2f}", described(interval)]
        shown.add_row(*row)
    seconds = [read_metrics(file.with_name("classify_run.json"), Run).seconds["training"] for file in jobs]
    shown.caption = f"training took {np.mean(seconds):.0f} s a seed"
    if len(jobs) == 1:
        shown.caption += "; the intervals are over the test texts, since there is one seed"
    return shown


def described(interval: tuple[float, float] | None) -> str:
    """An interval in percentage points."""
    if interval is None:
        return "–"
    low, high = interval
    return f"{low:+.2f} to {high:+.2f}{'; not significant' if low <= 0 <= high else ''}"


def across_texts(metrics: Classify, name: str, measure: str) -> tuple[float, float] | None:
    """The interval of one seed's paired difference over its test texts, which is known of the accuracy."""
    ahead = metrics.models[name].ahead
    return (100 * ahead.low, 100 * ahead.high) if ahead and measure == "accuracy" else None


def value(model: ModelScores, measure: str) -> float:
    """The accuracy, or the F1 of the second label."""
    return model.accuracy if measure == "accuracy" else list(model.labels.values())[1].f1


def corrected(gaps: np.ndarray, ratio: float) -> tuple[float, float]:
    """The 95 % interval of the mean of paired differences over overlapping splits.

    Student's t with the variance of the mean increased from 1/k to 1/k + test/train (Nadeau and Bengio
    2003), since the splits are drawn from the same texts.
    """
    half = stats.t.ppf(0.975, len(gaps) - 1) * gaps.std(ddof=1) * (1 / len(gaps) + ratio) ** 0.5
    return float(gaps.mean() - half), float(gaps.mean() + half)


if __name__ == "__main__":
    main()
