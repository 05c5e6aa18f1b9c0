"""`wandb sync` of offline runs makes the same runs, groups and lineage on a server."""

import gzip
import http.server
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from foundling import tracking

PIPELINE = """
stages:
  tokenize: {deps: [data/raw/corpus], outs: [data/tokens], metrics: [metrics/data.json]}
  pretrain: {deps: [data/tokens], outs: [models/base]}
  instruct: {deps: [models/base], outs: [models/chat]}
"""
FILES = {
    "dvc.yaml": PIPELINE,
    "data/raw/corpus/a.txt": "a",
    "data/tokens/train.bin": "ids",
    "metrics/data.json": '{"vocab_size": 600, "rows": [{"source": "stories", "tokens": 3}]}',
    "models/base/model.safetensors": "weights",
    "models/chat/model.safetensors": "tuned",
}

GZIP = b"\x1f\x8b"


class StandIn:
    """What W&B's server does for `wandb sync`, as far as its client needs it, in memory."""

    def __init__(self) -> None:
        self.runs: dict[str, dict[str, Any]] = {}
        self.artifacts: list[dict[str, Any]] = []  # with the run that created it
        self.used: list[tuple[str, str]] = []  # run, id of the artifact
        self.rows: dict[str, list[Any]] = {}
        self.uploads = 0

    def answer(self, operation: str, given: dict[str, Any], url: str) -> dict[str, Any]:
        """The data that a GraphQL operation returns."""
        made = getattr(self, operation, None)
        return made(given.get("input", given), url) if made else {}

    def Viewer(self, given: dict[str, Any], url: str) -> Any:
        return {
            "viewer": {"id": "u", "entity": "us", "username": "us", "flags": "{}", "teams": {"edges": []}}
        }

    def ServerFeaturesQuery(self, given: dict[str, Any], url: str) -> Any:
        return {"serverInfo": {"features": []}}

    def RunResumeStatus(self, given: dict[str, Any], url: str) -> Any:
        return {
            "model": {"id": "p", "name": "foundling", "entity": {"id": "e", "name": "us"}, "bucket": None}
        }

    def UpsertBucket(self, given: dict[str, Any], url: str) -> Any:
        run = self.runs.setdefault(given["name"], {})
        run.update({key: value for key, value in given.items() if value is not None})
        project = {"id": "p", "name": "foundling", "entity": {"id": "e", "name": "us"}}
        bucket = {"id": given["name"], "name": given["name"], "displayName": "", "description": ""}
        bucket |= {"config": "{}", "sweepName": None, "project": project, "historyLineCount": 0}
        return {"upsertBucket": {"bucket": bucket, "inserted": True}}

    def CreateArtifact(self, given: dict[str, Any], url: str) -> Any:
        same = [
            artifact
            for artifact in self.artifacts
            if all(artifact[key] == given[key] for key in ("artifactCollectionName", "digest"))
        ]
        if not same:
            same = [{**given, "id": f"a{len(self.artifacts)}", "state": "PENDING"}]
            self.artifacts += same
        made = {key: same[0][key] for key in ("id", "state")}
        return {"createArtifact": {"artifact": made | {"artifactSequence": {"latestArtifact": None}}}}

    def CreateArtifactManifest(self, given: dict[str, Any], url: str) -> Any:
        file = {"id": "f", "uploadUrl": url, "uploadHeaders": []}
        return {"createArtifactManifest": {"artifactManifest": {"id": given["artifactID"], "file": file}}}

    def UpdateArtifactManifest(self, given: dict[str, Any], url: str) -> Any:
        file = {"id": "f", "uploadUrl": url, "uploadHeaders": []}
        return {"updateArtifactManifest": {"artifactManifest": {"id": "m", "file": file}}}

    def CreateArtifactFiles(self, given: dict[str, Any], url: str) -> Any:
        node = {"uploadUrl": url, "uploadHeaders": [], "uploadMultipartUrls": None}
        edges = [
            {"node": node | {"storagePath": "s", "artifact": {"id": file["artifactID"]}}}
            for file in given["artifactFiles"]
        ]
        return {"createArtifactFiles": {"files": {"edges": edges}}}

    def CommitArtifact(self, given: dict[str, Any], url: str) -> Any:
        (artifact,) = (made for made in self.artifacts if made["id"] == given["artifactID"])
        artifact["state"] = "COMMITTED"
        return {"commitArtifact": {"artifact": {"id": artifact["id"], "digest": artifact["digest"]}}}

    def UseArtifact(self, given: dict[str, Any], url: str) -> Any:
        self.used.append((given["runName"], given["artifactID"]))
        return {"useArtifact": {"artifact": {"id": given["artifactID"]}}}

    def CreateRunFiles(self, given: dict[str, Any], url: str) -> Any:
        files = [{"name": name, "uploadUrl": url} for name in given["files"]]
        return {"createRunFiles": {"runID": given["run"], "uploadHeaders": [], "files": files}}

    def MarkRunFilesUploaded(self, given: dict[str, Any], url: str) -> Any:
        return {"markRunFilesUploaded": {"success": True}}


@pytest.fixture
def server() -> Iterator[tuple[StandIn, str]]:
    """The stand-in, and its address."""
    stand_in = StandIn()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"] or 0))
            body = json.loads((gzip.decompress(content) if content[:2] == GZIP else content) or "{}")
            if self.path.endswith("/file_stream"):
                stand_in.rows.setdefault(self.path.split("/")[-2], []).append(body)
                self._send({})
            elif "query" not in body:
                self._send({})
            else:
                operation = re.search(r"(?:query|mutation) (\w+)", body["query"])
                assert operation is not None
                url = f"http://{self.headers['Host']}/upload"
                self._send({"data": stand_in.answer(operation[1], body.get("variables") or {}, url)})

        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"] or 0))
            stand_in.uploads += 1
            self._send({})

        def _send(self, value: Any) -> None:
            content = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: Any) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, *arguments: Any) -> None:
            """The client closes connections that it does not need any longer."""

    with Server(("127.0.0.1", 0), Handler) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield stand_in, f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_synced_runs_have_their_group_and_lineage(
    server: tuple[StandIn, str], job: Callable[..., Any], tmp_path: Path
) -> None:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    stages = ("tokenize", "pretrain", "instruct")
    for stage in stages:
        run = tracking.start(job("runtime.logger.wandb=offline"), stage)
        run.log({"step": 1, "tokens": 8, "train/loss": 2.0})
        run.log_results(Path())
        run.finish()
    stand_in, address = server
    environment = os.environ | {"WANDB_BASE_URL": address, "WANDB_API_KEY": "0" * 40}
    for place in sorted((tmp_path / "wandb").glob("offline-run-*")):  # in the order of their times
        command = [sys.executable, "-m", "wandb", "sync", str(place)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    names = {run["jobType"]: name for name, run in stand_in.runs.items()}
    assert set(names) == set(stages)
    assert len({run["groupName"] for run in stand_in.runs.values()}) == 1
    created = {
        artifact["artifactCollectionName"]: artifact
        for artifact in stand_in.artifacts
        if artifact["artifactTypeName"] != "run_table"
    }
    assert {name: made["runName"] for name, made in created.items() if name != "corpus"} == {
        "tokens": names["tokenize"],
        "tokenize-results": names["tokenize"],
        "base": names["pretrain"],
        "chat": names["instruct"],
    }
    assert {(run, used) for run, used in stand_in.used} == {
        (names["tokenize"], created["corpus"]["id"]),
        (names["pretrain"], created["tokens"]["id"]),
        (names["instruct"], created["base"]["id"]),
    }
    assert "sha256" in created["chat"]["metadata"]
