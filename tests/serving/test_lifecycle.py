"""Full queues, slow clients and clients that go away; signals let streams end and refuse new requests."""

import asyncio
import json
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import anyio
import httpx
import pytest

from foundling.serving.app import create_app
from foundling.serving.loading import Models, ServedLanguageModel, load_models

from .conftest import CPU, ROOT, ServerProcess, serve_command, serve_settings

LONG = {"model": "base", "prompt": "Once", "max_tokens": 200}
SHORT = {**LONG, "max_tokens": 1}


class Gate:
    """Lets an engine's model compute only so many steps."""

    def __init__(self, model: Any) -> None:
        self.steps = threading.Semaphore(0)
        self.waiting = threading.Event()  # the model wants to compute
        self.hook = model.register_forward_pre_hook(self._wait)

    def _wait(self, *_: Any) -> None:
        self.waiting.set()
        assert self.steps.acquire(timeout=60)

    def open(self) -> None:
        self.hook.remove()
        self.steps.release(10_000)


@pytest.fixture
def held(folders: list[str]) -> Iterator[tuple[Models, Gate]]:
    """A base model with one row and a queue of one, whose computation waits for the test."""
    models = load_models(folders[1:2], CPU, rows=1, queue=1)
    gate = Gate(models.find(ServedLanguageModel, "base").model.blocks[0])
    yield models, gate
    gate.open()
    models.close()


def run(models: Models, test: Callable[..., Any], **changes: Any) -> None:
    """Run an asynchronous test with a client of the application."""

    async def connected() -> None:
        app = create_app(models, serve_settings(**changes))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            await test(client, app)

    asyncio.run(connected())


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(60):
        while not condition():
            await anyio.sleep(0.005)


def stats(models: Models) -> Any:
    return models.find(ServedLanguageModel, "base").engine.stats()


def test_a_full_queue_answers_429_and_says_when_to_try_again(held: tuple[Models, Gate]) -> None:
    models, gate = held

    async def test(client: httpx.AsyncClient, app: Any) -> None:
        post = client.post
        first = asyncio.create_task(post("/v1/completions", json=SHORT))
        await until(lambda: stats(models).active == 1)
        second = asyncio.create_task(post("/v1/completions", json=SHORT))
        await until(lambda: stats(models).waiting == 1)
        third = await post("/v1/completions", json=SHORT)
        streamed = await post("/api/generate", json={"model": "base", "prompt": "a"})
        gate.open()
        for refused in (third, streamed):
            assert refused.status_code == 429
            assert int(refused.headers["retry-after"]) >= 1
        assert third.json()["error"]["code"] == "rate_limit_exceeded"
        assert (await first).status_code == (await second).status_code == 200

    run(models, test)


def test_choices_that_do_not_fit_leave_no_stream_behind(held: tuple[Models, Gate]) -> None:
    models, gate = held

    async def test(client: httpx.AsyncClient, app: Any) -> None:
        refused = await client.post("/v1/completions", json={**SHORT, "n": 4})
        assert refused.status_code == 429
        gate.open()
        await until(lambda: stats(models).active == stats(models).waiting == 0)

    run(models, test)


@pytest.mark.parametrize("stream", [False, True])
def test_a_response_that_takes_too_long_is_an_error(held: tuple[Models, Gate], stream: bool) -> None:
    models, gate = held

    async def test(client: httpx.AsyncClient, app: Any) -> None:
        late = await client.post("/v1/completions", json={**LONG, "stream": stream})
        if stream:
            error = json.loads(late.text.split("\n\n")[0].removeprefix("data: "))["error"]
            assert late.text.endswith("data: [DONE]\n\n")
        else:
            assert late.status_code == 504
            error = late.json()["error"]
        assert "took more than 0.05 seconds" in error["message"]
        gate.open()
        await until(lambda: stats(models).active == 0)

    run(models, test, limits={"seconds": 0.05, "max_tokens": 250})


def test_while_draining_new_requests_get_503_and_streams_end(held: tuple[Models, Gate]) -> None:
    models, gate = held

    async def test(client: httpx.AsyncClient, app: Any) -> None:
        under_way = asyncio.create_task(client.post("/v1/completions", json={**LONG, "max_tokens": 8}))
        await until(lambda: stats(models).active == 1)
        app.state.serving.traffic.is_draining = True
        models.drain()
        refused = await client.post("/v1/completions", json=SHORT)
        assert refused.status_code == 503
        assert "retry-after" in refused.headers
        assert (await client.get("/health")).json() == {"status": "draining"}
        gate.open()
        assert len((await under_way).json()["choices"][0]["text"]) > 0
        assert app.state.serving.traffic.active == 0

    run(models, test)


# with a process


def count(server: ServerProcess, name: str) -> float:
    """The sum of a metric over the models."""
    lines = httpx.get(f"{server.url}/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(f"{name}{{"))


def busy(server: ServerProcess) -> bool:
    return count(server, "foundling_streams") + count(server, "foundling_queue") > 0


def wait_until(condition: Callable[[], bool]) -> None:
    asyncio.run(until(condition))


REQUEST = b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n"


def send(server: ServerProcess, path: bytes, value: dict[str, Any]) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=60)
    body = json.dumps(value).encode()
    connection.sendall(REQUEST % (path, len(body)) + body)
    return connection


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_goes_away_frees_its_rows(server: ServerProcess, stream: bool) -> None:
    """The requests ask for far more tokens than are generated before the clients leave."""
    many = {"model": "base", "prompt": "Once", "max_tokens": 250, "n": 8, "stream": stream, "temperature": 2}
    before = count(server, "foundling_tokens_total")
    connections = [send(server, b"/v1/completions", many) for _ in range(3)]
    wait_until(lambda: busy(server))
    for connection in connections:
        connection.close()
    wait_until(lambda: not busy(server))
    assert count(server, "foundling_tokens_total") - before < 3 * 8 * 250


def test_a_body_that_does_not_arrive_times_out(folders: list[str]) -> None:
    """A server of its own, whose limit is short; SIGTERM ends it cleanly while a stream is under way."""
    server = ServerProcess(folders[:2], "serve.limits.body_seconds=0.5")
    slow = socket.create_connection(("127.0.0.1", server.port), timeout=60)
    with closing(slow):
        slow.sendall(REQUEST % (b"/v1/completions", 100) + b'{"model"')
        assert slow.recv(1_000).startswith(b"HTTP/1.1 408")
    stream = send(server, b"/v1/completions", {**LONG, "stream": True})
    with closing(stream):
        assert stream.recv(1_000).startswith(b"HTTP/1.1 200")
        server.process.send_signal(signal.SIGTERM)
        received = b""
        while b"[DONE]" not in received:
            received += stream.recv(65_536)
    assert server.process.communicate(timeout=120)[0] == ""
    assert server.process.returncode == 0
    assert b'"finish_reason":"length"' in received or b'"finish_reason":"stop"' in received


def test_a_port_in_use_is_an_error_of_one_line(server: ServerProcess, folders: list[str]) -> None:
    done = subprocess.run(
        serve_command(folders, f"serve.port={server.port}"), cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 1
    where = f"127.0.0.1:{server.port}: Address already in use"
    assert done.stderr == f"foundling: {where}; choose another serve.port (0: a free one) or serve.host\n"
