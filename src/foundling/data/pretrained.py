"""Published weights to one folder: files by name, or those of a model on the Hugging Face hub; weights/ reads them."""

import logging
import shutil
from pathlib import Path

from foundling.data import hub
from foundling.data.places import locate
from foundling.settings.datasets import Weights

log = logging.getLogger(__name__)


def fetch_weights(weights: Weights, folder: Path, mirror: Path | None) -> None:
    """Fill the folder with what `files` or `hub` name; with neither it stays empty."""
    for file in weights.files:
        path = locate(file, folder, mirror)
        if path.parent != folder:
            shutil.copyfile(path, folder / file.name)
    if weights.hub:
        hub.fetch_files(weights.hub, folder, mirror)
    if fetched := [file for file in folder.iterdir() if file.is_file()]:
        log.info(f"weights: {len(fetched)} files, {sum(file.stat().st_size for file in fetched) / 1e6:,.1f} MB")
