"""Who may use the server: checks of the Host and Origin headers and of the API key, before a body is read.

A web page on another site can send requests to a server on this machine: directly, or after it has pointed
its own name at 127.0.0.1 (DNS rebinding). Browsers then send the page's name as Origin or Host, which is
refused.
"""

import hmac
import ipaddress
import os
from collections.abc import Iterable
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from foundling.serving.errors import ApiError, shown
from foundling.settings.commands import Serve

LOOPBACK = ("localhost", "127.0.0.1", "::1")
SHORTEST_KEY = 16  # characters


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine reach a server that listens on this host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_key(settings: Serve) -> str | None:
    """The API key, from its file or environment variable; ValueError if it is needed and missing."""
    if settings.key_file is not None:
        path = Path(settings.key_file).expanduser()
        if not path.is_file():
            raise ValueError(f"serve.key_file={settings.key_file}: no such file; write the API key to it")
        key, origin = path.read_text(encoding="utf-8").strip(), settings.key_file
    else:
        key, origin = os.environ.get(settings.key, "").strip(), f"environment variable {settings.key}"
        if not key and is_loopback(settings.host):
            return None
        if not key:
            raise ValueError(
                f"serve.host={settings.host}: other machines can reach this address, so an API key is "
                f"needed; set the {origin} or serve.key_file, or serve.host=127.0.0.1"
            )
    if len(key) < SHORTEST_KEY or not (key.isascii() and key.isprintable()):
        raise ValueError(
            f"the API key in {origin} has {len(key)} characters; it must be at least {SHORTEST_KEY} "
            "printable ASCII characters, such as `openssl rand -hex 24` prints"
        )
    return key


class Security:
    """ASGI middleware that refuses requests by Host, Origin and API key.

    Args:
        app: what answers the other requests.
        settings: the host and the allowed names.
        key: the API key; None: no key is needed.
        public: the paths that need no key.
    """

    def __init__(self, app: ASGIApp, *, settings: Serve, key: str | None, public: Iterable[str]) -> None:
        self.app = app
        self.hosts = {*LOOPBACK, settings.host.lower(), *(name.lower() for name in settings.allowed_hosts)}
        # no name can be rebound to an address, so a server for other machines allows all of its addresses
        self.allows_addresses = not is_loopback(settings.host)
        self.origins = set(settings.allowed_origins)
        self.key = None if key is None else key.encode()
        self.public = frozenset(public)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                self._check(Headers(scope=scope), scope["path"])
            except ApiError as error:
                await error.response(scope)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _check(self, headers: Headers, path: str) -> None:
        host = headers.get("host", "")
        if not self._is_allowed_host(host):
            raise ApiError(
                f"the host {shown(host)!r} is not this server's; add it to serve.allowed_hosts",
                HTTPStatus.MISDIRECTED_REQUEST,
            )
        origin = headers.get("origin")
        if origin is not None and not self._is_allowed_origin(origin, host):
            raise ApiError(
                f"pages of {shown(origin)!r} may not use this server; allow them with serve.allowed_origins",
                HTTPStatus.FORBIDDEN,
            )
        if self.key is not None and path not in self.public:
            self._check_key(headers.get("authorization", ""))

    def _is_allowed_host(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in self.hosts:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return self.allows_addresses

    def _is_allowed_origin(self, origin: str, host: str) -> bool:
        scheme, _, place = origin.partition("://")
        return (scheme in ("http", "https") and place.lower() == host.lower()) or origin in self.origins

    def _check_key(self, authorization: str) -> None:
        assert self.key is not None
        scheme, _, given = authorization.partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), self.key):
            raise ApiError(
                "the API key is missing or wrong; send the header `Authorization: Bearer KEY`",
                HTTPStatus.UNAUTHORIZED,
                code="invalid_api_key",
                headers={"WWW-Authenticate": "Bearer"},
            )
