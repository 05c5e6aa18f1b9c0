"""Classify texts: foundling predict text="Free entry!", file=texts.csv, or texts on standard input."""

import json
import sys
import time
from collections import Counter
from pathlib import Path

from foundling.commands.texts import read_settings
from foundling.device import dtype_of, set_up
from foundling.settings import Job


def run(job: Job) -> None:
    """Print the probabilities of one text's labels; for many texts, JSON lines and the throughput."""
    settings = job.settings.predict
    named = read_settings(settings.text, settings.file, settings.column)  # before importing torch
    for place, text in named:
        if not text.strip():
            raise ValueError(f"{place} is empty; add a text, or remove the line")
    texts = [text for _, text in named]

    from foundling.data.encoded_texts import encode
    from foundling.data.unknown import count_unknown
    from foundling.evaluation.classification import probabilities
    from foundling.model.classifier import Classifier
    from foundling.model.config import ClassifierConfig
    from foundling.weights import folder

    device = set_up(job.settings.runtime)
    path, dtype = Path(settings.model).expanduser(), dtype_of(job.settings.runtime)
    model, tokenizer = folder.load_as(path, Classifier, ClassifierConfig, dtype)
    model.to(device)
    labels = model.config.labels
    count_unknown(tokenizer, texts, "predict", Counter())
    started = time.perf_counter()
    shape = model.config
    rows, truncated = encode(tokenizer, texts, shape.trunk.context, shape.keep, shape.template)
    predicted = probabilities(model, rows, settings.batch_tokens)  # (N, K)
    seconds = time.perf_counter() - started
    if settings.text:
        for i in predicted[0].argsort()[::-1][: settings.top]:
            print(f"{predicted[0][i]:.4f}  {labels[i]}")
    else:
        for text, row in zip(texts, predicted.tolist(), strict=True):
            p = {label: round(value, 6) for label, value in zip(labels, row, strict=True)}
            print(
                json.dumps(
                    {"label": max(p, key=p.__getitem__), "probabilities": p, "text": text}, ensure_ascii=False
                )
            )
        print(
            f"{len(texts):,} texts in {seconds:.2f} s, {len(texts) / seconds:,.0f} texts/s", file=sys.stderr
        )
    if truncated:
        lost = "end" if model.config.keep == "beginning" else "beginning"
        print(f"{truncated:,} of the texts exceed the model's context and lost their {lost}", file=sys.stderr)
