"""A run is logged online only with a key and a server that answers in time; a server never stops a stage."""

import http.server
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from foundling import tracking
from foundling.settings.runtime import Logger
from foundling.tracking import server
from foundling.tracking.settings import resolve

AUTO = Logger(wandb="auto", project=None, entity=None, group=None, name=None, tags=())
ONLINE = replace(AUTO, wandb="online")


@pytest.fixture
def refusing_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A W&B server that refuses every key."""
    import wandb

    class Refuse(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(401)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *arguments: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refuse) as refusing:
        threading.Thread(target=refusing.serve_forever, daemon=True).start()
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{refusing.server_port}")
        monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
        wandb.teardown()  # what an earlier test made of the environment
        yield
        refusing.shutdown()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_server_that_refuses_the_run_leaves_it_offline(
    refusing_server: None, job: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        run = tracking.start(job("runtime.logger.wandb=online"), "pretrain")
    run.finish()
    assert "offline, run" in str(run.address)
    assert "refused the run" in caplog.text


def test_online_needs_a_key_and_a_host_that_answers(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{listening.getsockname()[1]}")
        assert server.reachable_mode(resolve(AUTO)) == "offline"
        assert not caplog.text
        assert server.reachable_mode(resolve(ONLINE)) == "offline"
        assert "there is no key" in caplog.text
        monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
        assert server.reachable_mode(resolve(AUTO)) == "online"
    caplog.clear()
    assert server.reachable_mode(resolve(AUTO)) == "offline"
    assert server.reachable_mode(resolve(ONLINE)) == "offline"
    assert "does not answer" in caplog.text


def test_keys_come_from_the_environment_or_from_wandb_login(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not server.has_key("https://api.wandb.ai")
    (tmp_path / "netrc").write_text(f"machine api.wandb.ai login user password {'0' * 40}\n")
    assert server.has_key("https://another.name", "api.wandb.ai")
    assert not server.has_key("https://wandb.example.org")
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    assert server.has_key("https://wandb.example.org")


def test_a_proxy_is_probed_in_place_of_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{listening.getsockname()[1]}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        assert server.is_reachable("https://wandb.invalid")
    assert not server.is_reachable("https://wandb.invalid")
