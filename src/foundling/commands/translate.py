"""Translate: foundling translate text="the lion is in the forest", file=texts.txt, or texts on standard input."""

import sys
import time
from pathlib import Path

from omegaconf import DictConfig

from foundling.commands.texts import check_asked, read_texts
from foundling.device import set_up
from foundling.generation.beam import Search, translate
from foundling.model.config import TranslatorConfig
from foundling.model.translator import Translator
from foundling.weights import folder


def run(config: DictConfig, out: Path) -> None:
    """Print the translation of one text, or of many, each on a line of its own; a blank line stays one."""
    ask = config.translate
    check_asked(ask.text, ask.file)
    device = set_up(config.runtime)
    search = Search(ask.beam, ask.length_penalty, ask.extra)
    model, tokenizer = folder.load_as(Path(ask.model), Translator, TranslatorConfig)
    model.to(device)
    texts = [ask.text] if ask.text else [text for _, text in read_texts(ask.file, ask.column)]
    if not texts:
        raise ValueError(f"found no text in {ask.file}; give at least one")
    began = time.perf_counter()
    found, cut = translate(model, tokenizer, texts, search, ask.batch_tokens)
    seconds = time.perf_counter() - began
    print("\n".join(found))
    if not ask.text:
        print(f"{len(texts):,} texts in {seconds:.2f} s, {len(texts) / seconds:,.0f} texts/s", file=sys.stderr)
    if cut:
        print(f"{cut:,} of the texts are longer than the model's context and lost their end", file=sys.stderr)
