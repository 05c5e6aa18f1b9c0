"""Weights & Biases beside our own CSV: online where a key and a network are, else offline; it never asks or waits."""

import logging
import netrc
import os
import secrets
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from foundling.artifacts import read_json, sha256, write_json

if TYPE_CHECKING:
    from lightning.pytorch.loggers import WandbLogger

log = logging.getLogger(__name__)
HOME = "https://api.wandb.ai"
PROBE = 2.0  # seconds
RUN = "wandb.json"


def wandb_mode(asked: str | bool) -> str:
    """online, offline or disabled. `auto` is online only with a key and a host that answers within two seconds."""
    if asked is False or asked == "false":
        return "disabled"
    if asked in ("online", "offline"):
        return str(asked)
    if asked != "auto":
        raise ValueError(f"runtime.logger.wandb={asked!r} is unknown; choose auto, online, offline or false")
    if os.environ.get("WANDB_MODE"):
        return os.environ["WANDB_MODE"]
    url = urlparse(os.environ.get("WANDB_BASE_URL", HOME))
    return "online" if _has_key(url.hostname or "") and _answers(url.hostname or "", url.port or 443) else "offline"


def make_wandb(
    settings: dict[str, Any], recipe: dict[str, Any], job: str, folder: Path, scratch: Path
) -> "WandbLogger | None":
    """A logger for one stage's run with the whole recipe as its config, or None when it is switched off.

    The run's id stands in `scratch`, so that a training that goes on after a kill goes on in the same run.
    """
    mode = wandb_mode(settings["wandb"])
    if mode == "disabled":
        return None
    if mode == "online" and not (os.environ.get("WANDB_API_KEY") or _has_key(urlparse(HOME).hostname or "")):
        mode = "offline"
        log.warning("W&B: online was asked for, but there is no key (WANDB_API_KEY or `wandb login`); logging offline")
    os.environ.setdefault("WANDB_SILENT", "true")
    import wandb
    from lightning.pytorch.loggers import WandbLogger

    note = scratch / RUN
    if not note.is_file():
        write_json(note, {"id": secrets.token_hex(4)})
    wandb.setup()  # silent from here on: it would warn of an argument that Lightning still passes

    return WandbLogger(
        project=settings["project"],
        name=settings["name"],
        id=read_json(note)["id"],
        resume="allow",
        group=settings["group"],
        tags=list(settings["tags"]),
        job_type=job,
        save_dir=str(folder),
        config=recipe,
        mode=mode,
    )


def log_lineage(
    logger: "WandbLogger | None", made: Path, kind: str, name: str, source: Path, source_kind: str, source_name: str
) -> None:
    """Log the folder `made` as an artifact that was made from `source`, a file or a folder.

    What another run has logged already, W&B knows by its content, so that the two runs are joined. Offline no artifact
    can be looked up, so the source's sha256 stands in the run's config as well.
    """
    if logger is None:
        return
    import wandb

    run = logger.experiment
    run.config.update({f"inputs/{source_name}": sha256(source)})
    parent = wandb.Artifact(source_name, type=source_kind)
    (parent.add_dir if source.is_dir() else parent.add_file)(str(source))
    child = wandb.Artifact(name, type=kind, metadata={source_name: sha256(source)})
    child.add_dir(str(made))
    if run.offline:
        run.log_artifact(parent)
    else:
        run.use_artifact(parent)
    run.log_artifact(child)


def finish(logger: "WandbLogger | None") -> str | None:
    """Close the run, so that the next job of a sweep has its own; returns its address, or its id offline."""
    if logger is None:
        return None
    run = logger.experiment
    address = None if run.offline else run.url
    run.finish()
    return address or f"offline, run {run.id}"


def _has_key(host: str) -> bool:
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        return netrc.netrc().authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


def _answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=PROBE):
            return True
    except OSError:
        return False
