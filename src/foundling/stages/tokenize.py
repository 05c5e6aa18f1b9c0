"""Encode the corpus into shards of token ids in data/tokens, and count documents and tokens."""

import logging
from collections.abc import Iterable
from pathlib import Path

from rich.box import SIMPLE
from rich.table import Table

from foundling.artifacts import sha256
from foundling.data import shards
from foundling.data.corpora import MARKED, Tally, documents
from foundling.data.mixture import shares_of_all
from foundling.data.sources import read_fetched
from foundling.metrics import to_plain, write_metrics
from foundling.metrics.data import Data, Shard
from foundling.settings import Job
from foundling.settings.datasets import Corpus
from foundling.terminal import show
from foundling.text.tokenizer import END_OF_TEXT, Tokenizer
from foundling.tracking import logged

log = logging.getLogger(__name__)
CORPUS, TOKENIZER = Path("data/raw/corpus"), Path("data/tokenizer")
COLUMNS = ("source", "split", "documents", "characters", "words", "tokens", "characters/token", "share")


@logged
def run(job: Job) -> None:
    """Write data/tokens and metrics/data.json, and print the table."""
    corpus = job.settings.corpus
    made_with = {name: job.recipe[name] for name in ("corpus", "tokenizer")}
    tokenizer = Tokenizer.load(TOKENIZER)
    inputs = {str(path): sha256(path) for path in (CORPUS / "meta.json", TOKENIZER)}
    tally, dtype = Tally(), job.settings.tokenizer.dtype
    texts = documents(CORPUS, corpus, tally)
    meta = shards.write(texts, tokenizer, job.out / "data/tokens", corpus.sources, made_with, dtype, inputs)
    data = Data(
        vocab_size=tokenizer.vocab_size,
        rows=_rows(meta, corpus),
        changes=tally.changes(),
        left_out_files=read_fetched(CORPUS).left_out,
    )
    write_metrics(job.out / "metrics/data.json", data)
    tables = [_table(f"corpus {corpus.name}", COLUMNS, 2, (to_plain(row).values() for row in data.rows))]
    if data.changes:
        columns = ("source", "what", "documents", "characters")
        rows = (to_plain(change).values() for change in data.changes)
        tables.append(_table("left out, changed, or to be checked", columns, 2, rows))
    show(*tables)
    _log(corpus, data)


def _rows(meta: shards.Meta, corpus: Corpus) -> tuple[Shard, ...]:
    """The shards, each with its source's share of the training tokens."""
    weights, firsts = zip(*((source.weight, source.first) for source in corpus.sources), strict=True)
    names = (source.name for source in corpus.sources)
    shares = dict(zip(names, shares_of_all(weights, firsts), strict=True))
    return tuple(
        Shard(
            **{name: getattr(shard, name) for name in COLUMNS[:6]},
            characters_per_token=round(shard.characters / shard.tokens, 4),
            share=round(shares[shard.source], 4),
        )
        for shard in meta.shards
    )


def _log(corpus: Corpus, data: Data) -> None:
    """Log what was left out or changed, one line for each source and reason."""
    sources = {source.name: source for source in corpus.sources}
    for row in data.changes:
        log.info(
            f"tokenize: {row.source}: {row.reason}: {row.documents:,} documents, {row.characters:,} "
            f"characters"
        )
        source = sources[row.source]
        if row.reason == MARKED and not source.separator:
            log.warning(
                f"tokenize: {row.source}: {END_OF_TEXT} occurs in the text; if it separates documents, set "
                f"{source.setting('separator', repr(END_OF_TEXT))}"
            )
    for name, reasons in data.left_out_files.items():
        for reason, left in reasons.items():
            log.warning(f"tokenize: {name}: {left.files:,} files {reason} were left out by `foundling fetch`")


def _table(title: str, columns: tuple[str, ...], texts: int, rows: Iterable[Iterable[object]]) -> Table:
    """A table whose first `texts` columns are text, the others numbers."""
    table = Table(title=title, box=SIMPLE)
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number < texts else "right", no_wrap=number >= texts)
    for row in rows:
        table.add_row(*(f"{value:,}" if isinstance(value, int | float) else str(value) for value in row))
    return table
