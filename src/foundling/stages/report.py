"""Write all measurements to one page: report/index.html."""

from pathlib import Path

from foundling.artifacts import atomic_folder
from foundling.metrics import read_metrics
from foundling.metrics.classify import Classify
from foundling.metrics.data import Data
from foundling.metrics.evaluate import Evaluate
from foundling.metrics.instruct import Instruct
from foundling.metrics.pretrain import Pretrain
from foundling.metrics.run import Run
from foundling.metrics.train_translator import TrainTranslator
from foundling.reporting.drawing import as_png
from foundling.reporting.figures import emergence
from foundling.reporting.page import Material, by_benchmark, page
from foundling.reporting.reading import read_csv, read_jsonl
from foundling.reporting.templates import words
from foundling.settings import Job

METRICS, PLOTS = Path("metrics"), Path("plots")


def run(job: Job) -> None:
    """Write the page, and the first emergence curve as a PNG for a README."""
    material = Material(
        settings=job.settings,
        recipe=job.recipe,
        data=read_metrics(METRICS / "data.json", Data),
        pretrain=read_metrics(METRICS / "pretrain.json", Pretrain),
        run=read_metrics(METRICS / "pretrain_run.json", Run),
        evaluate=read_metrics(METRICS / "evaluate.json", Evaluate),
        training=read_csv(PLOTS / "pretrain.csv"),
        validation=read_csv(PLOTS / "validation.csv"),
        emergence=read_csv(PLOTS / "emergence.csv"),
        samples=read_jsonl(PLOTS / "samples.jsonl"),
        training_samples=read_jsonl(PLOTS / "training_samples.jsonl"),
        classify=read_metrics(METRICS / "classify.json", Classify),
        classify_answers=read_csv(PLOTS / "classify_answers.csv", numbers=("probability",)),
        classify_roc=read_csv(PLOTS / "classify_roc.csv"),
        instruct=read_metrics(METRICS / "instruct.json", Instruct),
        answers=read_jsonl(PLOTS / "answers.jsonl"),
        translator=read_metrics(METRICS / "train_translator.json", TrainTranslator),
        translator_training=read_csv(PLOTS / "train_translator.csv"),
        translator_validation=read_csv(PLOTS / "train_translator_validation.csv"),
        translations=read_jsonl(PLOTS / "translations.jsonl"),
        cross_attention=read_jsonl(PLOTS / "cross_attention.jsonl"),
    )
    with atomic_folder(job.out / "report") as folder:
        (folder / "index.html").write_text(page(material), encoding="utf-8", newline="\n")
        for name, rows in list(by_benchmark(material.emergence).items())[:1]:
            (folder / "emergence.png").write_bytes(as_png(emergence(rows, words(name))))
