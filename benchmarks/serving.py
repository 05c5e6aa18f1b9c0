"""Load on `foundling serve`: throughput of 16 streams against one, and many streams for a minute.

python benchmarks/serving.py models/chat [--seconds 60] [--peer]

With --peer, `transformers serve` serves the exported model in the same run. Clients of this process ask for
streamed answers, one after another each; the counts of tokens are the servers' own (`usage`).
"""

import argparse
import asyncio
import itertools
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles

import httpx
import psutil

PROMPTS = ("The lion and the fox", "What does the owl eat?", "Once upon a time", "On a cold day the goat")
TOKENS, BATCH, STREAMS, START = (
    64,
    16,
    32,
    60,
)  # of an answer; streams; streams; seconds that a start may take


@dataclass
class Client:
    """What one client received."""

    tokens: int = 0
    errors: list[str] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)  # seconds between two pieces of an answer


@dataclass(frozen=True)
class Load:
    """What clients received, and what the server spent on it."""

    clients: list[Client]
    seconds: float
    processor_seconds: float  # of the server's process: what other programs use does not count
    memory: list[int]  # resident bytes, each second

    @property
    def tokens(self) -> int:
        """Of all clients."""
        return sum(client.tokens for client in self.clients)

    @property
    def errors(self) -> list[str]:
        """Of all clients."""
        return [error for client in self.clients for error in client.errors]


@dataclass(frozen=True)
class Server:
    """A running server, its model's name, and when it was started."""

    url: str
    model: str
    process: subprocess.Popen[str]
    started: float


async def ask(http: httpx.AsyncClient, server: Server, number: int) -> AsyncIterator[dict[str, object]]:
    """The events of one streamed completion."""
    body = {
        "model": server.model,
        "messages": [{"role": "user", "content": PROMPTS[number % len(PROMPTS)]}],
        "max_tokens": TOKENS,
        "temperature": 1.0,
        "seed": number,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    async with http.stream("POST", f"{server.url}/v1/chat/completions", json=body) as response:
        if response.status_code != 200:
            raise RuntimeError(f"status {response.status_code}: {(await response.aread())[:200]!r}")
        async for line in response.aiter_lines():
            if line.startswith("data: {"):
                yield json.loads(line.removeprefix("data: "))


async def use(
    http: httpx.AsyncClient, server: Server, client: Client, numbers: Iterator[int], end: float
) -> None:
    """Ask one completion after another until the time is over; what is unfinished then still counts."""
    while time.perf_counter() < end:
        last, pieces, used = None, 0, None
        try:
            async for event in ask(http, server, next(numbers)):
                choices, usage = event.get("choices"), event.get("usage")
                if usage:
                    used = int(usage["completion_tokens"])  # type: ignore[index]
                if choices and choices[0]["delta"].get("content"):  # type: ignore[index]
                    now = time.perf_counter()
                    if last is not None:
                        client.gaps.append(now - last)
                    last, pieces = now, pieces + 1
        except (RuntimeError, httpx.HTTPError) as error:
            client.errors.append(repr(error))
        client.tokens += pieces if used is None else used


def processor_seconds(process: psutil.Process) -> float:
    """The processor's time that a process has used."""
    times = process.cpu_times()
    return times.user + times.system


async def load(server: Server, streams: int, seconds: float) -> Load:
    """Run this many clients for `seconds`, and until their last answers have ended."""
    clients, numbers, memory = [Client() for _ in range(streams)], itertools.count(), []
    process = psutil.Process(server.process.pid)
    async with httpx.AsyncClient(timeout=120, limits=httpx.Limits(max_connections=streams)) as http:
        start, used = time.perf_counter(), processor_seconds(process)
        tasks = [
            asyncio.create_task(use(http, server, client, numbers, start + seconds)) for client in clients
        ]
        while time.perf_counter() < start + seconds:
            await asyncio.sleep(1)
            memory.append(process.memory_info().rss)
        await asyncio.gather(*tasks)
        took = time.perf_counter() - start
        return Load(clients, took, processor_seconds(process) - used, memory)


async def first_token(server: Server) -> float:
    """Seconds from the server's start to the first piece of an answer."""
    async with httpx.AsyncClient(timeout=120) as http:
        while True:
            try:
                async for event in ask(http, server, 0):
                    choices = event.get("choices")
                    if choices and choices[0]["delta"].get("content"):  # type: ignore[index]
                        return time.perf_counter() - server.started
            except httpx.ConnectError:
                if time.perf_counter() > server.started + START or server.process.poll() is not None:
                    raise
                await asyncio.sleep(0.05)


@contextmanager
def serving(command: list[str], port: int, model: str) -> Iterator[Server]:
    """Start a server, and stop it in the end."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, text=True)
    try:
        yield Server(f"http://127.0.0.1:{port}", model, process, time.perf_counter())
    finally:
        process.terminate()
        process.wait(60)


def free_port() -> int:
    """A port that nothing listens to."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def throughput(name: str, server: Server, seconds: float) -> None:
    """Print the tokens per second of one stream and of BATCH streams."""
    one, many = (asyncio.run(load(server, streams, seconds)) for streams in (1, BATCH))
    for what, rates in (
        ("second", [one.tokens / one.seconds, many.tokens / many.seconds]),
        ("processor second", [one.tokens / one.processor_seconds, many.tokens / many.processor_seconds]),
    ):
        print(
            f"{name}: tokens per {what} {rates[0]:.0f} with 1 stream, {rates[1]:.0f} with {BATCH}: "
            f"{rates[1] / rates[0]:.1f} ×"
        )
    for error in {*one.errors, *many.errors}:
        print(error)


def long_load(server: Server, seconds: float) -> None:
    """Print what STREAMS streams saw for this long."""
    seen = asyncio.run(load(server, STREAMS, seconds))
    percent = quantiles([gap for client in seen.clients for gap in client.gaps], n=100)
    slowest = min(client.tokens for client in seen.clients) * STREAMS / seen.tokens
    late = [size / 2**20 for size in seen.memory[len(seen.memory) // 2 :]]
    rate = seen.tokens / seen.seconds
    print(f"{STREAMS} streams for {seen.seconds:.0f} s: {rate:.0f} tokens/s, {len(seen.errors)} errors")
    print(f"gap between two pieces: median {percent[49] * 1e3:.0f} ms, p99 {percent[98] * 1e3:.0f} ms")
    print(f"slowest stream: {slowest:.2f} of its fair share")
    print(f"memory in the last half: {min(late):.0f} to {max(late):.0f} MiB")
    for error in set(seen.errors):
        print(error)


def main() -> None:
    """Measure our server, and with --peer the other one."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--peer", action="store_true")
    asked = parser.parse_args()
    port = free_port()
    command = [sys.executable, "-m", "foundling", "serve", f"serve.models=[{asked.model}]", f"port={port}"]
    with serving(command, port, asked.model.name) as server:
        print(f"ours: first token after {asyncio.run(first_token(server)):.1f} s")
        throughput("ours", server, asked.seconds / 3)
        long_load(server, asked.seconds)
    if asked.peer:
        with tempfile.TemporaryDirectory() as exported:
            to = Path(exported) / "model"
            export = ["export", f"model={asked.model}", f"to={to}"]
            subprocess.run(
                [sys.executable, "-m", "foundling", *export], check=True, stdout=subprocess.DEVNULL
            )
            port = free_port()
            options = ["--device", "cpu", "--continuous-batching", "--trust-remote-code", "--port", str(port)]
            with serving(["transformers", "serve", str(to), *options], port, str(to)) as server:
                print(f"transformers serve: first token after {asyncio.run(first_token(server)):.1f} s")
                throughput("transformers serve", server, asked.seconds / 3)


if __name__ == "__main__":
    main()
