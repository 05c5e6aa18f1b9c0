"""The snapshots of the base model's pretraining, in models/snapshots next to the base."""

from pathlib import Path

from foundling.metrics import read_metrics
from foundling.metrics.evaluate import Snapshot
from foundling.model.config import GPTConfig
from foundling.model.interface import LanguageModel
from foundling.weights import folder

SNAPSHOTS, INDEX = "snapshots", "index.json"


def find_snapshots(base: Path) -> dict[int, Path]:
    """The snapshot folders of the base model in folder `base` by their step, in order.

    Empty if there are none, or if they are of a model with another config.
    """
    place = base.parent / SNAPSHOTS
    if not (place / INDEX).is_file():
        return {}
    listed = read_metrics(place / INDEX, tuple[Snapshot, ...])
    found = {
        snapshot.step: place / snapshot.folder
        for snapshot in sorted(listed, key=lambda snapshot: snapshot.step)
        if Path(snapshot.folder).name == snapshot.folder
    }
    config: GPTConfig = folder.read_config(base)
    return found if all(folder.read_config(path) == config for path in found.values()) else {}


def load_snapshot(path: Path, base: LanguageModel) -> LanguageModel:
    """A snapshot on the base's device, read at each use, since all of them at once may not fit in memory."""
    return folder.load_model(path).to(next(base.parameters()).device)
