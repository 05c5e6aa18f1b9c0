"""Translate: foundling translate text="the lion is in the forest", file=texts.txt, or texts on standard input."""

import sys
import time
from pathlib import Path

from foundling.commands.texts import read_settings
from foundling.device import set_up
from foundling.settings import Job


def run(job: Job) -> None:
    """Print the translation of one text, or of many, each on a line of its own; a blank line stays one."""
    config = job.config
    ask = config.translate
    texts = [text for _, text in read_settings(ask.text, ask.file, ask.column)]  # before torch is imported

    from foundling.generation.beam import Search, translate
    from foundling.model.config import TranslatorConfig
    from foundling.model.translator import Translator
    from foundling.weights import folder

    device = set_up(config.runtime)
    search = Search(ask.beam, ask.length_penalty, ask.extra)
    model, tokenizer = folder.load_as(Path(ask.model).expanduser(), Translator, TranslatorConfig)
    model.to(device)
    began = time.perf_counter()
    found, cut = translate(model, tokenizer, texts, search, ask.batch_tokens)
    seconds = time.perf_counter() - began
    print("\n".join(found))
    if not ask.text:
        print(f"{len(texts):,} texts in {seconds:.2f} s, {len(texts) / seconds:,.0f} texts/s", file=sys.stderr)
    if cut:
        print(f"{cut:,} of the texts are longer than the model's context and lost their end", file=sys.stderr)
