"""A stand-in for W&B's server: what wandb's client needs for runs, artifacts, sweeps and agents.

It stores what it receives in memory, resumes runs as the server does, and hands out a sweep's settings. It
does not search: a sweep's runs have evenly spaced values. It checks no permissions, and renders nothing.
"""

import gzip
import http.server
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import yaml

GZIP = b"\x1f\x8b"
HISTORY, SUMMARY = "wandb-history.jsonl", "wandb-summary.json"
TELEMETRY = "/sdk/otel/"  # of wandb itself
PROJECT = {"id": "p", "name": "foundling", "entity": {"id": "e", "name": "us"}}


@dataclass
class Run:
    """A run as the server knows it."""

    settings: dict[str, Any] = field(default_factory=dict)  # as last upserted: groupName, jobType, config, …
    files: dict[str, list[str]] = field(default_factory=dict)  # the lines of its streamed files
    exit_code: int | None = None
    starts: int = 0  # how often a client has started or resumed it

    @property
    def history(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.files.get(HISTORY, [])]

    @property
    def summary(self) -> dict[str, Any]:
        made: dict[str, Any] = json.loads(self.files.get(SUMMARY, ["{}"])[0])
        return made

    @property
    def config(self) -> dict[str, Any]:
        made: dict[str, Any] = json.loads(self.settings.get("config") or "{}")
        return {key: value["value"] for key, value in made.items()}

    def stream(self, body: dict[str, Any]) -> None:
        """Store the lines of a request at their offsets, as the server does."""
        for name, part in body.get("files", {}).items():
            lines, start = self.files.setdefault(name, []), part["offset"]
            lines[start : start + len(part["content"])] = part["content"]
        if body.get("complete"):
            self.exit_code = body["exitcode"]


class StandIn:
    """The server's state, and a method for each GraphQL operation that the client sends."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self.artifacts: list[dict[str, Any]] = []  # with the run that created it
        self.used: list[tuple[str, str]] = []  # run, id of the artifact
        self.uploads = 0
        self.sweeps: dict[str, dict[str, Any]] = {}
        self.agents: dict[str, str] = {}  # id, its sweep
        self.operations: set[str] = set()
        self.unknown: set[str] = set()  # operations that have no answer here

    def answer(self, operation: str, given: dict[str, Any], url: str) -> dict[str, Any]:
        """The data that a GraphQL operation returns."""
        self.operations.add(operation)
        made = getattr(self, operation, None)
        if made is None:
            self.unknown.add(operation)
            return {}
        answered: dict[str, Any] = made(given.get("input", given), url)
        return answered

    def Viewer(self, given: dict[str, Any], url: str) -> Any:
        return {
            "viewer": {"id": "u", "entity": "us", "username": "us", "flags": "{}", "teams": {"edges": []}}
        }

    def ServerFeaturesQuery(self, given: dict[str, Any], url: str) -> Any:
        return {"serverInfo": {"features": []}}

    def OrganizationCoreWeaveOrganizationID(self, given: dict[str, Any], url: str) -> Any:
        return {"entity": None}

    # runs

    def RunResumeStatus(self, given: dict[str, Any], url: str) -> Any:
        run = self.runs.get(given["name"])
        if run is None or not run.starts:
            return {"model": {**PROJECT, "bucket": None}}
        history = run.files.get(HISTORY, [])
        bucket = {
            "id": given["name"],
            "name": given["name"],
            "summaryMetrics": json.dumps(run.summary),
            "displayName": run.settings.get("displayName"),
            "logLineCount": len(run.files.get("output.log", [])),
            "historyLineCount": len(history),
            "eventsLineCount": len(run.files.get("wandb-events.jsonl", [])),
            "historyTail": json.dumps(history[-1:]),
            "eventsTail": json.dumps(run.files.get("wandb-events.jsonl", [])[-1:]),
            "config": run.settings.get("config") or "{}",
            "tags": run.settings.get("tags") or [],
            "notes": None,
            "wandbConfig": json.dumps({"t": 1}),
        }
        return {"model": {**PROJECT, "bucket": bucket}}

    def UpsertBucket(self, given: dict[str, Any], url: str) -> Any:
        name = given["name"] or given["id"]
        inserted = name not in self.runs
        run = self.runs.setdefault(name, Run())
        run.starts += given.get("host") is not None  # not an update of its config
        run.settings.update({key: value for key, value in given.items() if value is not None})
        bucket = {"id": name, "name": name, "displayName": "", "description": ""}
        bucket |= {"config": run.settings.get("config") or "{}", "project": PROJECT}
        bucket |= {"sweepName": run.settings.get("sweep"), "historyLineCount": len(run.history)}
        return {"upsertBucket": {"bucket": bucket, "inserted": inserted}}

    def CreateRunFiles(self, given: dict[str, Any], url: str) -> Any:
        files = [{"name": name, "uploadUrl": url} for name in given["files"]]
        return {"createRunFiles": {"runID": given["run"], "uploadHeaders": [], "files": files}}

    def MarkRunFilesUploaded(self, given: dict[str, Any], url: str) -> Any:
        return {"markRunFilesUploaded": {"success": True}}

    # artifacts

    def ArtifactType(self, given: dict[str, Any], url: str) -> Any:
        name = given["name"].partition(":")[0]
        types = [
            made["artifactTypeName"] for made in self.artifacts if made["artifactCollectionName"] == name
        ]
        return {"project": {"artifact": {"artifactType": {"name": types[0]}} if types else None}}

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

    # sweeps

    def UpsertSweep(self, given: dict[str, Any], url: str) -> Any:
        name = f"sweep{len(self.sweeps)}"
        self.sweeps[name] = yaml.safe_load(given["config"])
        return {"upsertSweep": {"sweep": {"name": name, "project": PROJECT}, "configValidationWarnings": []}}

    def SweepWithRuns(self, given: dict[str, Any], url: str) -> Any:
        name = given["sweep"]
        if name not in self.sweeps:
            return {"project": {"sweep": None}}
        sweep = {"id": name, "name": name, "config": yaml.safe_dump(self.sweeps[name]), "state": "RUNNING"}
        return {"project": {"sweep": sweep | {"runs": {"edges": []}}}}

    def CreateAgent(self, given: dict[str, Any], url: str) -> Any:
        self.agents[f"agent{len(self.agents)}"] = given["sweep"]
        return {"createAgent": {"agent": {"id": f"agent{len(self.agents) - 1}"}}}

    def Heartbeat(self, given: dict[str, Any], url: str) -> Any:
        commands = []
        if not json.loads(given["runState"]):  # the agent is idle
            sweep = self.agents[given["id"]]
            earlier = [run for run in self.runs.values() if run.settings.get("sweep") == sweep]
            values = {
                name: {"value": _value(allowed, len(earlier))}
                for name, allowed in self.sweeps[sweep]["parameters"].items()
            }
            run_id = f"{sweep}-run{len(earlier)}"
            self.runs[run_id] = Run({"sweep": sweep})
            program = self.sweeps[sweep]["program"]
            commands = [{"type": "run", "run_id": run_id, "program": program, "args": values}]
        return {"agentHeartbeat": {"agent": {"id": given["id"]}, "commands": json.dumps(commands)}}


def _value(allowed: dict[str, Any], number: int) -> Any:
    """The value of a sweep's parameter for its run of this number."""
    if "values" in allowed:
        return allowed["values"][number % len(allowed["values"])]
    return allowed["min"] * (allowed["max"] / allowed["min"]) ** (number % 4 / 4)


@contextmanager
def serve() -> Iterator[tuple[StandIn, str]]:
    """The stand-in, and its address, as long as the context lasts."""
    stand_in, lock = StandIn(), threading.Lock()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"] or 0))
            if self.path.startswith(TELEMETRY):  # not JSON
                self._send({})
                return
            body = json.loads((gzip.decompress(content) if content[:2] == GZIP else content) or "{}")
            with lock:
                answer = self._answer(body)
            self._send(answer)

        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"] or 0))
            stand_in.uploads += 1
            self._send({})

        def _answer(self, body: dict[str, Any]) -> dict[str, Any]:
            if self.path.endswith("/file_stream"):
                stand_in.runs.setdefault(self.path.split("/")[-2], Run()).stream(body)
                return {}
            if "query" not in body:
                return {}
            operation = re.search(r"(?:query|mutation) (\w+)", body["query"])
            assert operation is not None
            url = f"http://{self.headers['Host']}/upload"
            return {"data": stand_in.answer(operation[1], body.get("variables") or {}, url)}

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
