"""Check a model along its chain: foundling verify model=models/chat.

Recomputes the hash of each file from the raw data over tokenizer, tokens and base up to the model, and says that all is
intact, or names the link that is not. The user's own files, where they still are, must be those that were fetched.
"""

from collections.abc import Iterator
from pathlib import Path

from omegaconf import DictConfig
from rich.box import SIMPLE
from rich.table import Table

from foundling.artifacts import read_json, sha256
from foundling.config import section
from foundling.data.inputs import SECTIONS, datasets_of, own_digests
from foundling.data.sources import META, fingerprints
from foundling.settings import Job
from foundling.terminal import show
from foundling.weights.chain import Link, links

RAW = Path("data/raw")
WIDTH = 100


def run(job: Job) -> None:
    """Print a row for each record; a link that is not intact raises ValueError, so that the exit code is 1."""
    config = job.config
    model = Path(config.verify.model)
    found = list(links(model))
    found += own_files(config, {link.record for link in found})
    show(table(found), width=WIDTH)
    broken = [link for link in found if link.fault]
    if broken:
        others = f" ({len(broken) - 1} more are named above)" if len(broken) > 1 else ""
        raise ValueError(
            f"{model} is not intact: {broken[0].what} {broken[0].fault}{others}; take it back with `dvc checkout`, or "
            f"make it again with `dvc repro`"
        )
    print(f"{model} is intact: {len(found)} hashes are what was recorded. Its own: {sha256(model)}")


def own_files(config: DictConfig, records: set[Path]) -> Iterator[Link]:
    """The user's files that the present settings name, against the digest from when those settings fetched them."""
    for name, datasets in datasets_of({name: section(config, name) for name in SECTIONS}).items():
        for place, dataset in datasets.items():
            record = RAW / name / place / META
            meta = read_json(record) if record in records else {}
            if meta.get("own") and meta.get("settings") == fingerprints(dataset):
                for source, path, digest in own_digests(dataset):
                    changed = meta["own"].get(source) != digest
                    yield Link(path, record, "has changed since it was fetched" if changed else None)


def table(found: list[Link]) -> Table:
    """Each record with how many links it holds, and its faults below it."""
    made = Table("recorded in", "links", "found", box=SIMPLE)
    made.columns[1].justify = "right"
    for record in dict.fromkeys(link.record for link in found):
        of_it = [link for link in found if link.record == record]
        faults = [link for link in of_it if link.fault]
        made.add_row(str(record), str(len(of_it)), f"{len(faults)} not intact" if faults else "intact")
        for link in faults:
            made.add_row("", "", f"{link.what} {link.fault}")
    return made
