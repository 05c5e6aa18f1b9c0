"""Encode the corpus into shards of token ids in data/tokens, and count what came out."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from rich.box import SIMPLE
from rich.table import Table

from foundling.artifacts import sha256, write_json
from foundling.config import section
from foundling.data.corpora import documents
from foundling.data.mixture import shares_of_all
from foundling.data.shards import write
from foundling.terminal import show
from foundling.text.tokenizer import Tokenizer

CORPUS, TOKENIZER = Path("data/raw/corpus"), Path("data/tokenizer")
COLUMNS = ("source", "split", "documents", "characters", "words", "tokens", "characters/token", "share")


def run(config: DictConfig, out: Path) -> None:
    """Write data/tokens and metrics/data.json, and print the table."""
    corpus = section(config, "corpus")
    made_with = {"corpus": corpus, "tokenizer": section(config, "tokenizer")}
    tokenizer = Tokenizer.load(TOKENIZER)
    inputs = {str(path): sha256(path) for path in (CORPUS / "meta.json", TOKENIZER)}
    texts, dtype = documents(CORPUS, corpus), config.tokenizer.dtype
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
    write_json(out / "metrics/data.json", {"vocab_size": tokenizer.vocab_size, "rows": rows})
    show(_table(corpus["name"], rows))


def _table(title: str, rows: list[dict[str, Any]]) -> Table:
    table = Table(title=f"corpus {title}", box=SIMPLE)
    for column in COLUMNS:
        table.add_column(column, justify="left" if column in ("source", "split") else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(f"{value:,}" if isinstance(value, int | float) else str(value) for value in row.values()))
    return table
