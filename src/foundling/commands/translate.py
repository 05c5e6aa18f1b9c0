"""Translate: foundling translate text="the lion is in the forest", file=texts.txt, or standard input."""

import sys
import time
from pathlib import Path

from foundling.commands.texts import read_settings
from foundling.device import dtype_of, set_up
from foundling.settings import Job


def run(job: Job) -> None:
    """Print the translation of one text, or of many, one per line; blank lines stay blank."""
    settings = job.settings.translate
    # before importing torch
    texts = [text for _, text in read_settings(settings.text, settings.file, settings.column)]

    from foundling.generation.beam import translate
    from foundling.model.config import TranslatorConfig
    from foundling.model.translator import Translator
    from foundling.weights import folder

    device = set_up(job.settings.runtime)
    path, dtype = Path(settings.model).expanduser(), dtype_of(job.settings.runtime)
    model, tokenizer = folder.load_as(path, Translator, TranslatorConfig, dtype)
    model.to(device)
    started = time.perf_counter()
    translations, truncated = translate(model, tokenizer, texts, settings)
    seconds = time.perf_counter() - started
    print("\n".join(translations))
    if not settings.text:
        print(
            f"{len(texts):,} texts in {seconds:.2f} s, {len(texts) / seconds:,.0f} texts/s", file=sys.stderr
        )
    if truncated:
        print(f"{truncated:,} of the texts exceed the model's context and were truncated", file=sys.stderr)
