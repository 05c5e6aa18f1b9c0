"""Tell which label a text has: foundling predict text="Free entry!", file=texts.csv, or texts on standard input."""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from foundling.data.classification import encode
from foundling.data.formats import format_of, read
from foundling.evaluation.classification import probabilities
from foundling.model.classifier import Classifier, ClassifierConfig
from foundling.weights import folder

STANDARD_INPUT = "-"


def run(config: DictConfig, out: Path) -> None:
    """Print the labels of one text with their probabilities; of many texts, a JSON object a line, and the speed."""
    ask = config.predict
    if not ask.text and ask.file == STANDARD_INPUT and sys.stdin.isatty():
        raise ValueError('nothing to read: give text="…", file=texts.txt, or texts on standard input, one a line')
    model, tokenizer = folder.load_as(Path(ask.model), Classifier, ClassifierConfig)
    labels = model.config.labels
    texts = [ask.text] if ask.text else list(_texts(ask.file, ask.column))
    if not texts:
        raise ValueError(f"found no text in {ask.file}; give at least one")
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
    """The texts of a file or of standard input, each checked."""
    where = "standard input" if file == STANDARD_INPUT else file
    for line, record in _rows(file, column):
        text = record.get(column)
        if text is None:
            raise ValueError(
                f"{where}:{line} has no column {column!r} (found {', '.join(map(str, record))}); set column to the one "
                "that holds the text"
            )
        if not str(text).strip():
            raise ValueError(f"{where}:{line} is an empty text; write one, or take the line out")
        yield str(text)


def _rows(file: str, column: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line, record): of a plain text each line is one, under the name of the column."""
    if file == STANDARD_INPUT:
        return ((at, {column: line.rstrip("\r\n")}) for at, line in enumerate(sys.stdin, 1))
    path = Path(file)
    if not path.is_file():
        raise ValueError(f"found no file {file}; give one, or texts on standard input, one a line")
    if format_of(path) in (None, "txt", "md", "lines"):
        return ((at, {column: record["text"]}) for at, record in read(path, {"format": "lines"}))
    return read(path, {})
