"""Whether to log to W&B's server: only with a key, and if the host accepts a connection in time."""

import logging
import netrc
import os
import socket
import threading
from urllib.parse import urlparse
from urllib.request import getproxies, proxy_bypass

from foundling.tracking.settings import WandbSettings

log = logging.getLogger(__name__)
PROBE = 2.0  # seconds for the host to accept a connection
OWN_HOST = "api.wandb.ai"  # W&B's own server in .netrc, even if a version of wandb uses another name for it


def reachable_mode(settings: WandbSettings) -> str:
    """online, offline or disabled: online needs a key and a host that answers within two seconds."""
    if settings.mode in ("offline", "disabled"):
        return settings.mode
    import wandb

    host = settings.host or wandb.Settings().base_url
    if not has_key(host, *([] if settings.host else [OWN_HOST])):
        reason = "there is no key (WANDB_API_KEY or `wandb login`)"
    elif not is_reachable(host):
        reason = f"{host} does not answer"
    else:
        return "online"
    if settings.mode == "online":
        log.warning(f"W&B: logging offline, because {reason}; `wandb sync` uploads it later")
    return "offline"


def has_key(*hosts: str) -> bool:
    """Whether there is a key for one of the hosts, in the environment or from `wandb login`."""
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    try:
        keys = netrc.netrc(os.environ.get("NETRC"))
    except (OSError, netrc.NetrcParseError):
        return False
    logins = [keys.authenticators(urlparse(host).netloc or host) for host in hosts]
    return any(login and login[2] for login in logins)


def is_reachable(host: str) -> bool:
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
