"""Weights that others trained, into one folder: OpenAI's files by name, or a model of the Hugging Face hub.

`hub` says which model: its id, its revision (a commit, so that all get the same bytes), and globs of the files wanted
from the top folder of its repository. Only what is no pickle is ever fetched; weights/ reads and checks what came.
"""

import logging
import shutil
import sys
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from foundling.data.places import locate
from foundling.data.sources import HUB_ID, check_file, name_of

log = logging.getLogger(__name__)


def fetch_weights(weights: Mapping[str, Any], folder: Path, mirror: Path | None) -> None:
    """Fill the folder with what `files` or `hub` name; with neither nothing comes."""
    for file in weights["files"]:
        check_file(file, "weights")
        found = locate(file, folder, mirror)
        if found.parent != folder:
            shutil.copyfile(found, folder / name_of(file))
    if weights["hub"]:
        if not HUB_ID.fullmatch(str(weights["hub"].get("id"))):
            raise ValueError(f"found weights.hub.id={weights['hub'].get('id')!r}; allowed is <owner>/<model>; mend it")
        _from_hub(weights["hub"], folder, mirror)
    if came := [file for file in folder.iterdir() if file.is_file()]:
        log.info(f"weights: {len(came)} files, {sum(file.stat().st_size for file in came) / 1e6:,.1f} MB")


def _from_hub(hub: Mapping[str, Any], folder: Path, mirror: Path | None) -> None:
    copy = mirror / "hub" / hub["id"] if mirror else None
    if copy is not None and copy.is_dir():
        for file in sorted(copy.iterdir()):
            if file.is_file() and any(fnmatch(file.name, glob) for glob in hub["files"]):
                shutil.copyfile(file, folder / file.name)
        return
    import huggingface_hub
    from huggingface_hub.utils.tqdm import disable_progress_bars

    if not sys.stderr.isatty():
        disable_progress_bars()
    try:
        huggingface_hub.snapshot_download(
            hub["id"],
            revision=hub["revision"],
            local_dir=folder,
            allow_patterns=list(hub["files"]),
            ignore_patterns=["*/*"],
        )
    except Exception as error:  # the hub's client raises errors of a dozen libraries
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ValueError(
            f"model {hub['id']} did not come from the hub ({reason}); mend: check weights.hub.id, its revision and the "
            f"network, or put its files at {mirror or '<mirror>'}/hub/{hub['id']} and set FOUNDLING_MIRROR (or "
            "runtime.mirror) to that mirror folder"
        ) from None
    shutil.rmtree(folder / ".cache", ignore_errors=True)  # the client's notes
