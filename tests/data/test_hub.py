"""A model's files come from the hub, here a stand-in of its HTTP API on this machine."""

import hashlib
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from foundling.data.hub import fetch_files
from foundling.settings.datasets import Hub

COMMIT = "c0ffee" + "0" * 34
FILES = {
    "config.json": b'{"model_type": "llama"}',
    "model.safetensors": bytes(range(256)) * 40,
    "pytorch_model.bin": b"a pickle",
    "onnx/model.safetensors": b"of another format",
}


class _Hub(BaseHTTPRequestHandler):
    """The two calls that a download makes: the list of a repository's files, and a file."""

    asked: list[str] = []

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, with_body: bool) -> None:
        path = self.path.partition("?")[0]
        self.asked.append(path)
        body, headers = b"", {"X-Repo-Commit": COMMIT}
        if path.startswith("/api/models/some/fox/revision/"):
            listed = [{"rfilename": name} for name in FILES]
            body = json.dumps({"id": "some/fox", "sha": COMMIT, "siblings": listed}).encode()
        elif path.startswith("/api/models/some/fox/tree/"):
            rows = []
            for name, content in FILES.items():
                sha = hashlib.sha1(content).hexdigest()
                rows.append({"type": "file", "path": name, "size": len(content), "oid": sha})
            body = json.dumps(rows).encode()
        elif path.startswith("/some/fox/resolve/"):
            body = FILES[path.split("/", 5)[5]]
            headers["ETag"] = f'"{hashlib.sha1(body).hexdigest()}"'
        else:
            headers["X-Error-Code"] = "RepoNotFound"
        self.send_response(404 if "X-Error-Code" in headers else 200)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The client's settings as with HF_ENDPOINT, at a hub of one model."""
    from huggingface_hub import constants

    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, url)
    monkeypatch.setattr(constants, "ENDPOINT", url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(_Hub, "asked", [])
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    yield
    server.shutdown()
    server.server_close()


def _hub(name: str, *files: str) -> Hub:
    return Hub(id=name, revision=None, files=files)


@pytest.mark.usefixtures("endpoint")
def test_a_models_files_are_downloaded_from_the_hub(tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    folder.mkdir()
    fetch_files(_hub("some/fox", "*.json", "*.safetensors"), folder, mirror=None)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == {
        name: FILES[name] for name in ("config.json", "model.safetensors")
    }
    assert not [path for path in _Hub.asked if "pytorch_model" in path or "onnx" in path]


@pytest.mark.usefixtures("endpoint")
def test_an_unknown_model_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"model some/wolf is not available: tried the hub \(.*404") as error:
        fetch_files(_hub("some/wolf", "*.json"), tmp_path, mirror=None)
    assert "\n" not in str(error.value)
