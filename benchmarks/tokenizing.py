"""The speed of tokenizing compared with plain tiktoken, and its memory, which does not grow with the corpus.

Run: python benchmarks/tokenizing.py [rounds]
"""

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

from rich.console import Console
from rich.table import Table

from foundling.data.corpora import Document
from foundling.data.shards import write
from foundling.data.splits import TRAIN
from foundling.fables.generators import GENERATORS
from foundling.settings.datasets import Source
from foundling.text.tokenizer import Tokenizer
from foundling.text.vocabularies import train_bpe

THREADS = 2
PARAGRAPHS = [record["text"] for record in GENERATORS["stories"](seed=1, megabytes=5)]


def documents(megabytes: float) -> Iterator[Document]:
    """Documents of this many megabytes, made by repeating 5 MB of stories."""
    size = sum(map(len, PARAGRAPHS)) / 1e6
    count = round(len(PARAGRAPHS) * megabytes / size)
    return (Document("stories", TRAIN, text) for text in islice(cycle(PARAGRAPHS), count))


def ours(tokenizer: Tokenizer, megabytes: float) -> float:
    """MB/s from documents to hashed shards on disk."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        write(
            documents(megabytes),
            tokenizer,
            Path(folder) / "tokens",
            [Source(name="stories", path="x")],
            {},
            "auto",
        )
        return megabytes / (time.perf_counter() - began)


def bare(tokenizer: Tokenizer, megabytes: float) -> float:
    """MB/s of tiktoken alone, nothing written."""
    texts = [document.text for document in documents(megabytes)]
    began = time.perf_counter()
    tokenizer.encoding.encode_ordinary_batch(texts, num_threads=THREADS)
    return megabytes / (time.perf_counter() - began)


def peak(megabytes: float) -> float:
    """Peak MiB of a separate process that tokenizes this much."""
    code = (
        "import benchmarks.tokenizing as b; "
        f"b.ours(b.train_bpe(b.PARAGRAPHS[:2000], 2048), {megabytes}); b.tell()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)


def tell() -> None:
    """Print this process's peak memory in MiB."""
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    tokenizer = train_bpe(PARAGRAPHS[:2000], 2048)
    pairs = [(bare(tokenizer, 20), ours(tokenizer, 20)) for _ in range(rounds)]
    table = Table(title=f"20 MB of stories, {THREADS} threads, median of {rounds} paired rounds")
    for column in (
        "bare tiktoken, MB/s",
        "foundling, MB/s",
        "ratio",
        "peak at 10 MB, MiB",
        "peak at 200 MB, MiB",
    ):
        table.add_column(column, justify="right")
    medians = [f"{statistics.median(side):.1f}" for side in zip(*pairs, strict=True)]
    ratio = statistics.median(b / a for a, b in pairs)
    table.add_row(*medians, f"{ratio:.2f}", f"{peak(10):.0f}", f"{peak(200):.0f}")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
