"""Read a dataset's rows or a model's files from the Hugging Face hub or its copy in <mirror>/hub."""

import shutil
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from itertools import islice
from pathlib import Path
from typing import Any

from foundling.settings.datasets import Hub


def rows(hub: Hub, mirror: Path | None) -> Iterator[dict[str, Any]]:
    """Yield the rows of a dataset; any failure raises ValueError."""
    import datasets

    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    copy = _copy(hub, mirror)
    origin = {"path": str(copy)} if copy else {"path": hub.id, "revision": hub.revision}
    files = {"name": hub.config, "data_files": hub.files and list(hub.files)}
    try:
        reader = datasets.load_dataset_builder(**origin, **files).config
        # pandas would read a text "null" or "NA" of a CSV file as a missing value
        options = {"keep_default_na": False} if hasattr(reader, "keep_default_na") else {}
        dataset = datasets.load_dataset(
            **origin, **files, **options, split=hub.split or "train", streaming=hub.streaming
        )
        if hub.columns:
            dataset = dataset.select_columns(list(hub.columns))
        for row in islice(dataset, hub.limit):
            yield dict(row)
    except Exception as error:  # the hub's client raises errors of a dozen libraries
        raise _unavailable("dataset", hub, mirror, copy, error) from error


def fetch_files(hub: Hub, folder: Path, mirror: Path | None) -> None:
    """Copy the files in the top folder of a model's repository that match `hub.files` to `folder`."""
    patterns = list(hub.files or ())
    if copy := _copy(hub, mirror):
        for file in sorted(copy.iterdir()):
            if file.is_file() and any(fnmatch(file.name, pattern) for pattern in patterns):
                shutil.copyfile(file, folder / file.name)
        return
    import huggingface_hub
    from huggingface_hub.utils.tqdm import disable_progress_bars

    if not sys.stderr.isatty():
        disable_progress_bars()
    try:
        huggingface_hub.snapshot_download(
            hub.id, revision=hub.revision, local_dir=folder, allow_patterns=patterns, ignore_patterns=["*/*"]
        )
    except Exception as error:  # as above
        raise _unavailable("model", hub, mirror, None, error) from None
    shutil.rmtree(folder / ".cache", ignore_errors=True)  # the client's notes


def _copy(hub: Hub, mirror: Path | None) -> Path | None:
    """The mirror's copy of a repository, if it has one."""
    copy = mirror / "hub" / hub.id if mirror else None
    return copy if copy and copy.is_dir() else None


def _unavailable(kind: str, hub: Hub, mirror: Path | None, copy: Path | None, error: Exception) -> ValueError:
    reason = " ".join(str(error).split())[:300] or type(error).__name__
    return ValueError(
        f"{kind} {hub.id} is not available: tried {copy or 'the hub'} ({reason}); check its id, revision, "
        f"split and the network, or put its files at {mirror or '<mirror>'}/hub/{hub.id} and set "
        "FOUNDLING_MIRROR (or runtime.mirror) to that mirror folder"
    )
