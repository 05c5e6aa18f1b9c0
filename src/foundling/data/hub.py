"""Rows of a dataset on the Hugging Face hub, or of its copy in the mirror: plain data files, never a script.

A source's `hub` says which rows:

    id, config, split, revision   as on the hub; the revision is a commit, so that all get the same rows
    files       data files to read, if not all (a glob inside the dataset's repository)
    columns     the columns to keep, if not all
    streaming   read on without downloading the whole; with `limit`, so many rows are all that is fetched
    limit       so many rows, the first ones
"""

import sys
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any


def rows(hub: Mapping[str, Any], mirror: Path | None) -> Iterator[dict[str, Any]]:
    """Yield the rows; whatever keeps them away is one ValueError. `mirror`/hub/<id> stands in for the hub."""
    import datasets

    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    copy = mirror / "hub" / hub["id"] if mirror else None
    here = copy is not None and copy.is_dir()
    place = {"path": str(copy)} if here else {"path": hub["id"], "revision": hub.get("revision")}
    try:
        which = {**place, "name": hub.get("config"), "data_files": hub.get("files")}
        reader = datasets.load_dataset_builder(**which).config
        # pandas would read a text "null" or "NA" of a CSV file as no text
        words = {"keep_default_na": False} if hasattr(reader, "keep_default_na") else {}
        found = datasets.load_dataset(
            **which, **words, split=hub.get("split") or "train", streaming=bool(hub.get("streaming"))
        )
        if hub.get("columns"):
            found = found.select_columns(list(hub["columns"]))
        for row in islice(found, hub.get("limit")):
            yield dict(row)
    except Exception as error:  # the hub's client raises errors of a dozen libraries
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise ValueError(
            f"dataset {hub['id']} did not come: tried {copy if here else 'the hub'} ({reason}); fix: check its id, "
            f"revision, split and the network, or put its files at {mirror or '<mirror>'}/hub/{hub['id']} and set "
            "FOUNDLING_MIRROR (or runtime.mirror) to that mirror folder"
        ) from error
