"""Malicious URLs, servers, generators and fetch records are refused in one line, and leave no file."""

import hashlib
import http.server
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from foundling.artifacts import atomic_folder, read_json, write_json
from foundling.data import download
from foundling.data.fetching import fetch
from foundling.data.sources import rows
from foundling.settings.datasets import Dataset
from foundling.validation import build

TEXT = b"The lion is in the forest.\n" * 40
SHA256 = hashlib.sha256(TEXT).hexdigest()


def dataset(source: dict[str, Any]) -> Dataset:
    return build(Dataset, {"name": "test", "sources": [source]}, "test")


def fetched(folder: Path, source: dict[str, Any]) -> None:
    """As the stage does it."""
    with atomic_folder(folder / "final") as temporary:
        fetch(dataset(source), temporary / "raw", None)


PLACES = {
    "a file": ("file:///etc/passwd", "must be https:// or http://"),
    "of ftp": ("ftp://example.org/a.txt", "must be https:// or http://"),
    "of data": ("data:text/plain,hello", "must be https:// or http://"),
    "of no host": ("http:///a.txt", "is not available"),
}


@pytest.mark.parametrize("what", PLACES)
def test_a_url_that_is_none(tmp_path: Path, refuses, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
    url, says = PLACES[what]
    refuses(lambda: fetched(tmp_path, {"name": "a", "files": [{"url": url}]}), says)


GENERATORS: dict[str, tuple[dict[str, Any], str]] = {
    "a target": ({"name": "os.system"}, "unknown generator 'os.system'"),
    "code": ({"name": "stories", "_target_": "os.system"}, "correct `generate`"),
}


@pytest.mark.parametrize("what", GENERATORS)
def test_a_generator_that_is_none(tmp_path: Path, refuses, what: str) -> None:
    settings, says = GENERATORS[what]
    refuses(lambda: fetched(tmp_path, {"name": "a", "generate": settings}), says)


def test_a_path_that_is_a_device(tmp_path: Path, refuses) -> None:
    refuses(lambda: fetched(tmp_path, {"name": "a", "path": "/dev/zero"}), "no files at /dev/zero")


def _meta(**values: Any) -> Callable[[Path], None]:
    return lambda path: write_json(path, read_json(path) | values)


FILE = {"file": "a.txt", "bytes": len(TEXT), "sha256": SHA256}
METAS: dict[str, tuple[Callable[[Path], None], str]] = {
    "no JSON": (lambda path: path.write_text("{"), "not valid JSON"),
    "a list": (lambda path: path.write_text("[]"), "not valid JSON .it is a list"),
    "nothing": (lambda path: path.write_text(""), "not valid JSON"),
    "bytes": (lambda path: path.write_bytes(b"\xff\xfe"), "not valid JSON"),
    "brackets": (lambda path: path.write_text("[" * 100_000), "not valid JSON .maximum recursion"),
    "too much": (lambda path: os.truncate(path, 1 << 40), "not a regular file of at most"),
    "other settings": (_meta(settings={}), "fetched with other sources"),
    "no settings": (_meta(settings=None), "settings=null: must be a mapping"),
    "no sources": (_meta(sources={}), "lists no files for source one"),
    "a source of text": (_meta(sources={"one": "a.txt"}), "sources.one='a.txt': must be a list"),
    "a file above": (
        _meta(sources={"one": [FILE | {"file": "../../secret.txt"}]}),
        "lists '../../secret.txt'",
    ),
    "a file at the root": (_meta(sources={"one": [FILE | {"file": "/etc/passwd"}]}), "lists '/etc/passwd'"),
    "a file of no name": (
        _meta(sources={"one": [{"bytes": 9, "sha256": SHA256}]}),
        "sources.one.0.file is missing",
    ),
}


@pytest.mark.parametrize("what", METAS)
def test_a_meta_file_that_lies(tmp_path: Path, refuses, what: str) -> None:
    harm, says = METAS[what]
    (tmp_path / "a.txt").write_bytes(TEXT)
    (tmp_path / "secret.txt").write_bytes(b"secret")
    source = {"name": "one", "path": str(tmp_path / "a.txt")}
    fetched(tmp_path, source)
    harm(tmp_path / "final/raw/meta.json")
    refuses(lambda: list(rows(tmp_path / "final/raw", dataset(source))), says)


class Handler(http.server.BaseHTTPRequestHandler):
    """A server that does not keep its word."""

    def do_GET(self) -> None:
        leads = {
            "/file": "file:///etc/passwd",
            "/ftp": "ftp://127.0.0.1/a",
            "/loop": "/loop",
            "/nowhere": "http://:0/",
        }
        if goal := leads.get(self.path.removesuffix(".txt")):
            self.send_response(302)
            self.send_header("Location", goal + (".txt" if goal == "/loop" else ""))
            self.end_headers()
            return
        self.send_response(200)
        if self.path == "/short.txt":
            self.send_header("Content-Length", "999999999")
        if self.path == "/packed.txt":
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        try:
            for _ in range(2000 if self.path == "/endless.txt" else 1):
                self.wfile.write(TEXT * (40 if self.path == "/endless.txt" else 1))
        except OSError:
            pass  # it was hung up on

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        thread.join()


ANSWERS = {
    "/file.txt": "redirects to a URL|cannot connect",
    "/ftp.txt": "redirects to a URL|cannot connect",
    "/nowhere.txt": "redirects to a URL|cannot connect",
    "/loop.txt": "too many redirects",
    "/short.txt": "the connection broke 3 times",
    "/packed.txt": "wrong checksum|connection broke|cannot connect|not available",
    "/endless.txt": "sends more than 2,000 bytes",
    "/other.txt": "wrong size: expected 2,000 bytes but got 1,080|wrong checksum",
}


@pytest.mark.parametrize("path", ANSWERS)
def test_a_server_that_lies(
    tmp_path: Path, refuses, server: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
    monkeypatch.setattr(download, "TIMEOUT", 2)
    file = {"url": server + path, "size": 2000, "sha256": "0" * 64 if path == "/packed.txt" else SHA256}
    refuses(lambda: fetched(tmp_path, {"name": "a", "files": [file]}), ANSWERS[path])


def test_a_server_that_never_ends_is_cut_off_without_a_size_too(
    tmp_path: Path, refuses, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "LARGEST", 100_000)
    refuses(
        lambda: fetched(tmp_path, {"name": "a", "files": [{"url": f"{server}/endless.txt"}]}),
        "more than 100,000 bytes",
    )
