"""Encode the corpus into shards of token ids in data/tokens, and count what came out."""

import logging
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from foundling.artifacts import sha256, write_json
from foundling.config import section
from foundling.data.corpora import MARKED, Tally, documents
from foundling.data.mixture import shares_of_all
from foundling.data.naming import setting
from foundling.data.shards import write
from foundling.data.sources import left_out
from foundling.settings import Job
from foundling.terminal import show
from foundling.text.tokenizer import END_OF_TEXT, Tokenizer

log = logging.getLogger(__name__)
CORPUS, TOKENIZER = Path("data/raw/corpus"), Path("data/tokenizer")
COLUMNS = ("source", "split", "documents", "characters", "words", "tokens", "characters/token", "share")


def run(job: Job) -> None:
    """Write data/tokens and metrics/data.json, and print the table."""
    config, out = job.config, job.out
    corpus = section(config, "corpus")
    made_with = {"corpus": corpus, "tokenizer": section(config, "tokenizer")}
    tokenizer = Tokenizer.load(TOKENIZER)
    inputs = {str(path): sha256(path) for path in (CORPUS / "meta.json", TOKENIZER)}
    tally, dtype = Tally(), config.tokenizer.dtype
    texts = documents(CORPUS, corpus, tally)
    meta = write(texts, tokenizer, out / "data/tokens", corpus["sources"], made_with, dtype, inputs)
    names = [source["name"] for source in corpus["sources"]]
    drawn = zip(*((one.get("weight", 1.0), one.get("first", 0.0)) for one in corpus["sources"]), strict=True)
    shares = dict(zip(names, shares_of_all(*drawn), strict=True))
    rows = [
        {column: shard[column] for column in COLUMNS[:6]}
        | {
            "characters_per_token": round(shard["characters"] / shard["tokens"], 4),
            "share": round(shares[shard["source"]], 4),
        }
        for shard in meta["shards"]
    ]
    changes, files = tally.rows(), left_out(CORPUS)
    write_json(
        out / "metrics/data.json",
        {"vocab_size": tokenizer.vocab_size, "rows": rows, "changes": changes, "left_out_files": files},
    )
    show(_table(corpus["name"], rows), *([_changes_table(changes)] if changes else []))
    _log(corpus, changes, files)


def _log(corpus: dict[str, Any], changes: list[dict[str, Any]], files: dict[str, dict[str, Any]]) -> None:
    """Say what was left out or changed, a line for each source and reason."""
    sources = {source["name"]: source for source in corpus["sources"]}
    for row in changes:
        log.info(
            f"tokenize: {row['source']}: {row['reason']}: {row['documents']:,} documents, "
            f"{row['characters']:,} characters"
        )
        if row["reason"] == MARKED and not sources[row["source"]].get("separator"):
            log.warning(
                f"tokenize: {row['source']}: {END_OF_TEXT} stands in the text; if it separates documents, set "
                f"{setting(sources[row['source']], 'separator', repr(END_OF_TEXT))}"
            )
    for source, reasons in files.items():
        for reason, those in reasons.items():
            log.warning(f"tokenize: {source}: {those['files']:,} files {reason} were left out when fetched")


def _changes_table(changes: list[dict[str, Any]]) -> Table:
    table = Table(title="left out, changed, or worth a look", box=SIMPLE)
    for column in ("source", "what", "documents", "characters"):
        table.add_column(column, justify="left" if column in ("source", "what") else "right")
    for row in changes:
        table.add_row(row["source"], row["reason"], f"{row['documents']:,}", f"{row['characters']:,}")
    return table


def _table(title: str, rows: list[dict[str, Any]]) -> Table:
    table = Table(title=f"corpus {title}", box=SIMPLE)
    for column in COLUMNS:
        table.add_column(column, justify="left" if column in ("source", "split") else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(f"{value:,}" if isinstance(value, int | float) else str(value) for value in row.values()))
    return table
