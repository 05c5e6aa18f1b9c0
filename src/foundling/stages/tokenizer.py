"""Train a tokenizer on the corpus, or take GPT-2's or that of published weights, into data/tokenizer."""

import logging
from collections.abc import Iterator
from pathlib import Path

from foundling.config import section
from foundling.data.corpora import documents
from foundling.data.splits import TRAIN
from foundling.settings import Job
from foundling.text.published import read_published
from foundling.text.tokenizer import Tokenizer, characters, gpt2, train_bpe

log = logging.getLogger(__name__)
CORPUS, WEIGHTS = Path("data/raw/corpus"), Path("data/raw/weights")


def run(job: Job) -> None:
    """Make what conf/tokenizer asks for; a BPE sees the training split alone, characters are the whole text's."""
    config, out = job.config, job.out
    settings, corpus = section(config, "tokenizer"), section(config, "corpus")
    kind, specials = settings["kind"], settings["specials"]
    tokenizer: Tokenizer
    if kind == "bpe":
        texts = (d.text for d in documents(CORPUS, corpus) if d.split == TRAIN)
        tokenizer = train_bpe(_first(texts, settings["train_megabytes"]), settings["vocab_size"], specials)
    elif kind == "char":
        tokenizer = characters((d.text for d in documents(CORPUS, corpus)), specials)
    elif kind == "gpt2":
        tokenizer = gpt2(Path(config.runtime.mirror) if config.runtime.mirror else None, specials)
    elif kind == "weights":
        tokenizer = read_published(WEIGHTS / "tokenizer.json")
    else:
        raise ValueError(f"tokenizer.kind={kind!r} is unknown; choose bpe, gpt2, char or weights")
    tokenizer.save(out / "data/tokenizer")
    log.info(f"tokenizer: {kind} of {tokenizer.vocab_size:,} tokens -> {out / 'data/tokenizer'}")


def _first(texts: Iterator[str], megabytes: float) -> Iterator[str]:
    """Texts until there are so many megabytes (of characters)."""
    left = megabytes * 1e6
    for text in texts:
        if left <= 0:
            return
        left -= len(text)
        yield text
