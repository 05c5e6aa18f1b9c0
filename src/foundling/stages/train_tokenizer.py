"""Train a tokenizer on the corpus, or use that of GPT-2 or of pretrained weights, into data/tokenizer."""

import logging
from collections.abc import Iterator
from pathlib import Path

from foundling.data.corpora import documents
from foundling.data.splits import TRAIN
from foundling.settings import Job, Settings
from foundling.text.tokenizer import Tokenizer
from foundling.text.vocabularies import characters, gpt2, train_bpe
from foundling.tracking import logged
from foundling.weights.published_tokenizer import read_tokenizer

log = logging.getLogger(__name__)
CORPUS, WEIGHTS, TOKENIZER = Path("data/raw/corpus"), Path("data/raw/weights"), Path("data/tokenizer")


@logged
def run(job: Job) -> None:
    """Make the tokenizer: a BPE from the training split, a character vocabulary from the whole corpus."""
    tokenizer = _make(job.settings)
    tokenizer.save(job.out / TOKENIZER)
    kind = job.settings.tokenizer.kind
    log.info(f"train_tokenizer: {kind} of {tokenizer.vocab_size:,} tokens -> {job.out / TOKENIZER}")


def _make(job: Settings) -> Tokenizer:
    settings, corpus = job.tokenizer, job.corpus
    if settings.kind == "weights":
        return read_tokenizer(WEIGHTS)
    assert settings.specials is not None
    if settings.kind == "gpt2":
        return gpt2(job.runtime.mirror_folder, settings.specials)
    if settings.kind == "char":
        return characters((document.text for document in documents(CORPUS, corpus)), settings.specials)
    assert settings.train_megabytes is not None
    assert settings.vocab_size is not None
    texts = (document.text for document in documents(CORPUS, corpus) if document.split == TRAIN)
    return train_bpe(_first(texts, settings.train_megabytes), settings.vocab_size, settings.specials)


def _first(texts: Iterator[str], megabytes: float) -> Iterator[str]:
    """The first texts, up to this number of megabytes (of characters)."""
    left = megabytes * 1e6
    for text in texts:
        if left <= 0:
            return
        left -= len(text)
        yield text
