"""Tell which label a text has: foundling predict text="Free entry!", file=texts.csv, or texts on standard input."""

import json
import sys
import time
from collections import Counter
from pathlib import Path

from foundling.commands.texts import read_settings
from foundling.device import set_up
from foundling.settings import Job


def run(job: Job) -> None:
    """Print the labels of one text with their probabilities; of many texts, a JSON object a line, and the speed."""
    config = job.config
    ask = config.predict
    texts = _texts(ask.text, ask.file, ask.column)  # read before torch is imported, so that a mistake shows at once

    from foundling.data.classification import encode
    from foundling.data.unknown import count_unknown
    from foundling.evaluation.classification import probabilities
    from foundling.model.classifier import Classifier
    from foundling.model.config import ClassifierConfig
    from foundling.weights import folder

    device = set_up(config.runtime)
    model, tokenizer = folder.load_as(Path(ask.model).expanduser(), Classifier, ClassifierConfig)
    model.to(device)
    labels = model.config.labels
    count_unknown(tokenizer, texts, "predict", Counter())
    began = time.perf_counter()
    rows, cut = encode(tokenizer, texts, model.config.trunk.context, model.config.keep)
    found = probabilities(model, rows, ask.batch_tokens)
    seconds = time.perf_counter() - began
    if ask.text:
        for i in found[0].argsort()[::-1][: ask.top]:
            print(f"{found[0][i]:.4f}  {labels[i]}")
    else:
        for text, row in zip(texts, found.tolist(), strict=True):
            shares = {label: round(share, 6) for label, share in zip(labels, row, strict=True)}
            print(
                json.dumps(
                    {"label": max(shares, key=shares.__getitem__), "probabilities": shares, "text": text},
                    ensure_ascii=False,
                )
            )
        print(f"{len(texts):,} texts in {seconds:.2f} s, {len(texts) / seconds:,.0f} texts/s", file=sys.stderr)
    if cut:
        lost = "end" if model.config.keep == "beginning" else "beginning"
        print(f"{cut:,} of the texts are longer than the model's context and lost their {lost}", file=sys.stderr)


def _texts(text: str, file: str, column: str) -> list[str]:
    """The texts to classify, none of them empty."""
    texts = read_settings(text, file, column)
    for place, one in texts:
        if not one.strip():
            raise ValueError(f"{place} is an empty text; write one, or take the line out")
    return [one for _, one in texts]
