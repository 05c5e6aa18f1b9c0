"""Verify a model's provenance: foundling verify model=models/chat.

Recomputes the hashes of all files from the raw data through tokenizer, tokens and base to the model. The
user's own files, if they still exist, must match those that were fetched.
"""

from collections.abc import Iterator
from pathlib import Path

from rich.box import SIMPLE
from rich.table import Table

from foundling.artifacts import sha256
from foundling.data.inputs import datasets_of, own_digests
from foundling.data.sources import META, fingerprints, read_fetched
from foundling.settings import Job, Settings
from foundling.terminal import show
from foundling.weights.chain import Link, links

RAW = Path("data/raw")
WIDTH = 100


def run(job: Job) -> None:
    """Print a row for each record; a link that does not match raises ValueError (exit code 1)."""
    model = Path(job.settings.verify.model)
    chain = list(links(model))
    chain += own_files(job.settings, {link.record for link in chain})
    show(table(chain), width=WIDTH)
    broken = [link for link in chain if link.fault]
    if broken:
        others = f" ({len(broken) - 1} more are listed above)" if len(broken) > 1 else ""
        raise ValueError(
            f"{model} is not intact: {broken[0].path} {broken[0].fault}{others}; restore it with `dvc "
            "checkout`, or rebuild it with `dvc repro`"
        )
    print(f"{model} is intact: all {len(chain)} hashes match their records; its own is {sha256(model)}")


def own_files(settings: Settings, records: set[Path]) -> Iterator[Link]:
    """The user's files in the current settings, compared with their digests when they were fetched."""
    for name, datasets in datasets_of(settings).items():
        for place, dataset in datasets.items():
            record = RAW / name / place / META
            fetched = read_fetched(record.parent) if record in records else None
            if fetched and fetched.own and fetched.settings == fingerprints(dataset):
                for source, path, digest in own_digests(dataset):
                    changed = fetched.own.get(source) != digest
                    yield Link(path, record, "has changed since it was fetched" if changed else None)


def table(chain: list[Link]) -> Table:
    """Each record with its number of links, and its faults below it."""
    rows = Table("recorded in", "links", "result", box=SIMPLE)
    rows.columns[1].justify = "right"
    for record in dict.fromkeys(link.record for link in chain):
        links_of_record = [link for link in chain if link.record == record]
        faults = [link for link in links_of_record if link.fault]
        rows.add_row(
            str(record), str(len(links_of_record)), f"{len(faults)} not intact" if faults else "intact"
        )
        for link in faults:
            rows.add_row("", "", f"{link.path} {link.fault}")
    return rows
