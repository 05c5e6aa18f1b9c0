"""Weights & Biases, in addition to our CSV files: online with a key and a connection, else offline."""

import logging
import netrc
import os
import secrets
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlparse
from urllib.request import getproxies, proxy_bypass

from foundling.artifacts import read_json, sha256, write_json
from foundling.settings import Recipe
from foundling.settings.runtime import Logger
from foundling.training.wandb_settings import WandbSettings, resolve

if TYPE_CHECKING:
    from lightning.pytorch.loggers import WandbLogger

log = logging.getLogger(__name__)
PROBE = 2.0  # seconds for the host to accept a connection
INIT = "20"  # seconds for W&B to start a run online, unless WANDB_INIT_TIMEOUT is set
OWN_HOST = "api.wandb.ai"  # W&B's own server in .netrc, even if a version of wandb uses another name for it
RUN = "wandb.json"


def make_wandb(logger: Logger, recipe: Recipe, stage: str, scratch: Path) -> "WandbLogger | None":
    """A logger for one stage's run, with the whole recipe as its config; None if W&B is disabled.

    The run's id is stored in `scratch`, so that a resumed training logs to the same run.
    """
    settings = resolve(logger)
    mode = _reachable_mode(settings)
    if mode == "disabled":
        return None
    os.environ.setdefault("WANDB_SILENT", "true")
    os.environ.setdefault("WANDB_INIT_TIMEOUT", INIT)
    import wandb

    note = scratch / RUN
    if not note.is_file():
        write_json(note, {"id": secrets.token_hex(4)})
    try:
        return _start(settings, mode, recipe, stage, read_json(note)["id"])
    except wandb.Error as error:
        if mode == "offline":
            raise ValueError(f"W&B cannot log: {error}; disable it with logger=none") from error
        reason = " ".join(str(error).split())[:200]
        log.warning(f"W&B: the server refused the run ({reason}); logging offline")
        wandb.teardown()  # the failed run still has the id
        return _start(settings, "offline", recipe, stage, read_json(note)["id"])


def _start(settings: WandbSettings, mode: str, recipe: Recipe, stage: str, run: str) -> "WandbLogger":
    import wandb
    from lightning.pytorch.loggers import WandbLogger

    wandb.setup()  # silences W&B, which would warn about a deprecated argument that Lightning passes
    settings.folder.mkdir(parents=True, exist_ok=True)
    logger = WandbLogger(
        project=settings.project,
        entity=settings.entity,
        name=settings.name,
        id=run,
        resume="allow",
        group=settings.group,
        tags=settings.tags,
        job_type=stage,
        save_dir=str(settings.folder),
        config=recipe,
        mode=mode,
    )
    assert logger.experiment is not None  # starts the run now, before a step is computed
    return logger


def _reachable_mode(settings: WandbSettings) -> str:
    """online, offline or disabled: online needs a key and a host that answers within two seconds."""
    if settings.mode in ("offline", "disabled"):
        return settings.mode
    import wandb

    host = settings.host or wandb.Settings().base_url
    if not _has_key(host, *([] if settings.host else [OWN_HOST])):
        reason = "there is no key (WANDB_API_KEY or `wandb login`)"
    elif not _is_reachable(host):
        reason = f"{host} does not answer"
    else:
        return "online"
    if settings.mode == "online":
        log.warning(f"W&B: logging offline, because {reason}; `wandb sync` uploads it later")
    return "offline"


def _has_key(*hosts: str) -> bool:
    """Whether there is a key for one of the hosts, in the environment or from `wandb login`."""
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    try:
        keys = netrc.netrc(os.environ.get("NETRC"))
    except (OSError, netrc.NetrcParseError):
        return False
    logins = [keys.authenticators(urlparse(host).netloc or host) for host in hosts]
    return any(login and login[2] for login in logins)


def _is_reachable(host: str) -> bool:
    """Whether the host, or the proxy in front of it, accepts a connection in time, DNS look-up included."""
    url = urlparse(host)
    proxy = None if proxy_bypass(url.hostname or "") else getproxies().get(url.scheme)
    if proxy:
        url = urlparse(proxy if "//" in proxy else f"//{proxy}")
    address = (url.hostname or "", url.port or (80 if url.scheme == "http" else 443))
    answered = threading.Event()

    def connect() -> None:
        try:
            with socket.create_connection(address, timeout=PROBE):
                answered.set()
        except OSError:
            pass

    threading.Thread(target=connect, daemon=True).start()
    return answered.wait(PROBE)


def log_lineage(logger: "WandbLogger", model: Path, source: Path, kind: str) -> None:
    """Log the folder `model` as an artifact made from `source`, a model folder or the meta.json of a dataset.

    W&B identifies artifacts by their content, so this links the run to the one that logged `source`.
    Artifacts cannot be looked up offline, so the source's sha256 is also stored in the run's config.
    """
    import wandb

    source_name = source.name if source.is_dir() else kind

    run = logger.experiment
    run.config.update({f"inputs/{source_name}": sha256(source)})
    parent = wandb.Artifact(source_name, type=kind)
    (parent.add_dir if source.is_dir() else parent.add_file)(str(source))
    child = wandb.Artifact(model.name, type="model", metadata={source_name: sha256(source)})
    child.add_dir(str(model))
    if run.offline:
        run.log_artifact(parent)
    else:
        run.use_artifact(parent)
    run.log_artifact(child)


def finish(logger: "WandbLogger | None") -> str | None:
    """Finish the run, so that the next job of a sweep starts its own; returns its URL, or its id offline."""
    if logger is None:
        return None
    run = logger.experiment
    address = None if run.offline else run.url
    run.finish()
    return address or f"offline, run {run.id}"
