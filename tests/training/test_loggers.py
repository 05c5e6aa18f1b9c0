"""A training logs to the W&B run that config and W&B's settings name, and never waits for a server."""

import http.server
import logging
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from foundling.artifacts import read_json
from foundling.settings.runtime import Logger
from foundling.training import loggers
from foundling.training.loggers import RUN, finish, make_wandb

OFFLINE = Logger(wandb="offline", project=None, entity=None, group=None, name=None, tags=())
ONLINE, AUTO = replace(OFFLINE, wandb="online"), replace(OFFLINE, wandb="auto")


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """W&B's runs, settings and keys are this test's own."""
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


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

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refuse) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
        wandb.teardown()  # what an earlier test made of the environment
        yield
        server.shutdown()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_same_folder_means_the_same_run(tmp_path: Path) -> None:
    def run(scratch: str) -> Any:
        (tmp_path / scratch).mkdir(exist_ok=True)
        logger = make_wandb(OFFLINE, {"seed": 1}, "pretrain", tmp_path / scratch)
        assert logger is not None
        found = logger.experiment.id
        logger.log_metrics({"train/loss": 2.0}, step=1)
        assert finish(logger) == f"offline, run {found}"
        return found

    first, again, other = run("one"), run("one"), run("two")
    assert first == again != other
    assert read_json(tmp_path / "one" / RUN) == {"id": first}
    # where `wandb leet` looks, sweeps included
    assert len(list((tmp_path / "wandb").glob("offline-run-*"))) == 3


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_run_has_the_names_that_were_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_PROJECT", "ours")
    monkeypatch.setenv("WANDB_RUN_GROUP", "friday")
    monkeypatch.setenv("WANDB_TAGS", "a, b")
    logger = make_wandb(replace(OFFLINE, name="mine"), {}, "pretrain", tmp_path)
    assert logger is not None
    run = logger.experiment
    finish(logger)
    assert (run.project, run.group, run.name, run.tags) == ("ours", "friday", "mine", ("a", "b"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_server_that_refuses_the_run_leaves_it_offline(
    refusing_server: None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        logger = make_wandb(ONLINE, {}, "pretrain", tmp_path)
    assert "offline, run" in str(finish(logger))
    assert "refused the run" in caplog.text


@pytest.mark.parametrize(
    ("switch", "value"), [("WANDB_DISABLED", "true"), ("WANDB_DISABLED", "1"), ("WANDB_MODE", "disabled")]
)
def test_switched_off_no_run_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, switch: str, value: str
) -> None:
    monkeypatch.setenv(switch, value)
    assert make_wandb(AUTO, {}, "pretrain", tmp_path) is None
    assert not (tmp_path / RUN).exists()


def test_without_wandb_no_run_is_noted(tmp_path: Path) -> None:
    assert make_wandb(replace(AUTO, wandb=False), {}, "pretrain", tmp_path) is None
    assert not (tmp_path / RUN).exists()


def test_online_needs_a_key_and_a_host_that_answers(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        assert loggers._reachable_mode(loggers.resolve(AUTO)) == "offline"
        assert not caplog.text
        assert loggers._reachable_mode(loggers.resolve(ONLINE)) == "offline"
        assert "there is no key" in caplog.text
        monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
        assert loggers._reachable_mode(loggers.resolve(AUTO)) == "online"
    caplog.clear()
    assert loggers._reachable_mode(loggers.resolve(AUTO)) == "offline"
    assert loggers._reachable_mode(loggers.resolve(ONLINE)) == "offline"
    assert "does not answer" in caplog.text


def test_keys_come_from_the_environment_or_from_wandb_login(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not loggers._has_key("https://api.wandb.ai")
    (tmp_path / "netrc").write_text(f"machine api.wandb.ai login user password {'0' * 40}\n")
    assert loggers._has_key("https://another.name", "api.wandb.ai")
    assert not loggers._has_key("https://wandb.example.org")
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    assert loggers._has_key("https://wandb.example.org")


def test_a_proxy_is_probed_in_place_of_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        assert loggers._is_reachable("https://wandb.invalid")
    assert not loggers._is_reachable("https://wandb.invalid")
