"""Run the application with uvicorn until a signal arrives, then let the streams under way end."""

import logging
import os
import signal
import socket
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn
from fastapi import FastAPI

from foundling.settings.commands import Serve

if TYPE_CHECKING:
    from foundling.serving.state import State

log = logging.getLogger(__name__)
HEADER_BYTES = 16 * 1024  # of a request's headers


def listen(settings: Serve) -> socket.socket:
    """A socket that listens where the settings say; OSError with a hint if the address is in use."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=128)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        raise OSError(
            f"{settings.host}:{settings.port}: {reason}; choose another serve.port (0: a free one) "
            "or serve.host"
        ) from None


def address(listener: socket.socket) -> str:
    """The address of a listening socket, as in a browser."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def run(app: FastAPI, listener: socket.socket, settings: Serve) -> None:
    """Serve until SIGTERM or Ctrl-C, then answer new requests with 503 until those under way have ended."""
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        loop="asyncio",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=HEADER_BYTES,
        limit_concurrency=settings.limits.connections,
    )
    _Server(config, app.state.serving).run([listener])


class _Server(uvicorn.Server):
    """uvicorn's server, which at the first signal drains and at the second one stops at once."""

    def __init__(self, config: uvicorn.Config, state: "State") -> None:
        super().__init__(config)
        self.traffic, self.models = state.traffic, state.models

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Start to drain; the second signal cancels the streams."""
        if not self.traffic.is_draining:
            self.traffic.is_draining = True
            return
        self.should_exit = self.force_exit = True
        if sig == signal.SIGINT:
            self._captured_signals.append(sig)

    async def on_tick(self, counter: int) -> bool:
        """Whether to exit, asked ten times a second."""
        if self.traffic.is_draining:
            self.models.drain()
            if self.traffic.active == 0:
                return True
        return await super().on_tick(counter)
