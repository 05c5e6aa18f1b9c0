"""W&B artifacts of what a stage reads and writes, as dvc.yaml lists it, with sha256 and DVC's md5.

The artifacts consist of references to the files, with their md5: nothing is copied, neither into wandb/ nor
to a server. W&B identifies artifacts by these md5, so the one that a stage uses is the one that another stage
logged, whether online or, after `wandb sync`, offline.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foundling.artifacts import sha256
from foundling.plain import read_yaml

if TYPE_CHECKING:
    import wandb

PIPELINE = Path("dvc.yaml")
RECORD = "_run.json"  # metrics that differ from run to run
KINDS = ("tokenizer", "tokens", "weights")  # folders whose names are their type


@dataclass(frozen=True)
class Item:
    """An artifact: its name and type in W&B, and the files or the one folder that it consists of."""

    name: str
    type: str
    paths: Sequence[str]


def log_lineage(run: "wandb.Run", stage: str, out: Path, parent: Path | None) -> None:
    """Log what the stage has used and made.

    Args:
        run: the stage's run.
        stage: its name in dvc.yaml.
        out: the folder below which it has written; it has read below the current one.
        parent: the model that it started from, if dvc.yaml does not name it.
    """
    used, made = items(stage)
    if parent and not any(parent.is_relative_to(path) for item in used for path in item.paths):
        used.append(Item(parent.name, "model", [str(parent)]))
    digests: dict[str, dict[str, str]] = {}
    for folder, direction, found in ((Path(), "inputs", used), (out, "outputs", made)):
        for item in found:
            artifact = _artifact(item, folder)
            if artifact is None:
                continue
            digests.setdefault(direction, {}).update(artifact.metadata["sha256"])
            if direction == "inputs":
                # what use_artifact does with a new artifact, which it refuses offline, and waits for online
                run._log_artifact(artifact, is_user_created=True, use_after_commit=True)
            else:
                run.log_artifact(artifact)
    run.config.update(digests, allow_val_change=True)  # type: ignore[no-untyped-call]


def items(stage: str) -> tuple[list[Item], list[Item]]:
    """What the stage reads and what it writes according to dvc.yaml; nothing without that file."""
    pipeline = read_yaml(PIPELINE) if PIPELINE.is_file() else None
    block = pipeline.get("stages", {}).get(stage, {}) if isinstance(pipeline, dict) else {}
    written = [path for part in ("outs", "metrics", "plots") for path in _paths(block.get(part))]
    results = [path for path in written if path.startswith(("metrics/", "plots/"))]
    kept = [path for path in results if not path.endswith(RECORD)]
    made = [_item(path) for path in written if path not in results]
    if kept:
        made.append(Item(f"{stage}-results", "evaluation", kept))
    return [_item(path) for path in _paths(block.get("deps"))], made


def dvc_md5(files: Mapping[str, str]) -> str:
    """DVC's md5 of a folder, from the md5 of its files by their relative paths."""
    listed = [{"md5": files[path], "relpath": path} for path in sorted(files)]
    return hashlib.md5(json.dumps(listed, sort_keys=True).encode()).hexdigest() + ".dir"


def _paths(entries: Any) -> Iterator[str]:
    """The paths of a list in dvc.yaml, whose entries are paths or have options."""
    for entry in entries or ():
        yield from entry if isinstance(entry, dict) else [str(entry)]


def _item(path: str) -> Item:
    name = re.sub(r"[^\w.-]", "-", Path(path).name)
    return Item(name, name if name in KINDS else "model" if path.startswith("models/") else "dataset", [path])


def _artifact(item: Item, folder: Path) -> "wandb.Artifact | None":
    """References to the files, with their hashes as metadata; None if none of them exists."""
    import wandb

    artifact = wandb.Artifact(item.name, type=item.type)
    digests: dict[str, dict[str, str]] = {"sha256": {}, "dvc_md5": {}}
    for path in item.paths:
        place = (folder / path).resolve()
        if not place.exists():
            continue
        entries = artifact.add_reference(place.as_uri(), name=None if place.is_dir() else path)
        files = {str(entry.path): base64.b64decode(entry.digest).hex() for entry in entries}
        digests["sha256"][path] = sha256(place)
        digests["dvc_md5"][path] = dvc_md5(files) if place.is_dir() else files[path]
    artifact.metadata.update(digests)
    return artifact if digests["sha256"] else None
