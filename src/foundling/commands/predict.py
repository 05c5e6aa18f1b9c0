"""Tell which label a text has: foundling predict text="Free entry!", file=texts.csv, or texts on standard input."""

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from omegaconf import DictConfig

from foundling.commands.texts import check_asked, read_texts
from foundling.data.classification import encode
from foundling.data.unknown import count_unknown
from foundling.device import set_up
from foundling.evaluation.classification import probabilities
from foundling.model.classifier import Classifier
from foundling.model.config import ClassifierConfig
from foundling.weights import folder


def run(config: DictConfig, out: Path) -> None:
    """Print the labels of one text with their probabilities; of many texts, a JSON object a line, and the speed."""
    ask = config.predict
    check_asked(ask.text, ask.file)
    device = set_up(config.runtime)
    model, tokenizer = folder.load_as(Path(ask.model), Classifier, ClassifierConfig)
    model.to(device)
    labels = model.config.labels
    texts = [ask.text] if ask.text else list(_texts(ask.file, ask.column))
    if not texts:
        raise ValueError(f"found no text in {ask.file}; give at least one")
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


def _texts(file: str, column: str) -> Iterator[str]:
    """The texts to tell apart, none of them empty."""
    for place, text in read_texts(file, column):
        if not text.strip():
            raise ValueError(f"{place} is an empty text; write one, or take the line out")
        yield text
